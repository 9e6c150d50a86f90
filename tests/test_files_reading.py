"""Images in files are read as CLIP wants them, a few batches at a time, and stand for a tensor everywhere."""

import dataclasses
import warnings
from pathlib import Path

import pytest
import torch
from clips import clip
from open_clip import image_transform
from photos import PETS, album, photo
from PIL import Image

from vlprompt import pictures as module
from vlprompt.evaluate import accuracy, keep_features, predict, probabilities
from vlprompt.methods import METHODS
from vlprompt.pictures import LazyImages, read_picture
from vlprompt.tasks import from_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path):
    return album(tmp_path / "my_pets", PETS)


def test_pictures_are_read_as_rgb_and_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = photo(tmp_path / "a.jpg", size=(40, 24), exif=exif)
    assert read_picture(path).size == (24, 40)
    assert read_picture(path, upright=False).size == (40, 24)
    for mode in ("L", "LA", "RGBA", "P", "CMYK", "1"):
        file = tmp_path / f"{mode}.{'jpg' if mode == 'CMYK' else 'png'}"
        Image.new("RGB", (8, 8), "red").convert(mode).save(file)
        assert read_picture(file).mode == "RGB"
    clear = Image.new("P", (8, 8))
    clear.putpalette([255, 0, 0, 0, 255, 0])
    clear.save(tmp_path / "clear.png", transparency=bytes([0, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "clear.png").getpixel((0, 0)) == (255, 0, 0), "transparency is dropped"
    with pytest.raises(ValueError, match=r"the image .*no.png is not there"):
        read_picture(tmp_path / "no.png")


def test_pictures_are_a_sequence(pets):
    images, labels = from_folder(pets).test()
    assert len(images) == len(labels) == len(list(images))
    assert isinstance(images[0], Image.Image)
    assert images[:2].paths == images.paths[:2]
    assert images[labels == 1].paths == tuple(p for p in images.paths if "/dog/" in p)
    assert images[torch.tensor([2, 0])].paths == (images.paths[2], images.paths[0])
    assert repr(images).startswith("Pictures(12 files, the first ")


@pytest.fixture
def backbone():
    """The small random CLIP, with CLIP's own preprocessing."""
    made = clip()
    return dataclasses.replace(made, preprocess=image_transform(made.image_size, is_train=False))


def test_lazy_images_are_the_tensor_that_preprocessing_gives(pets, backbone):
    images, _ = from_folder(pets).test()
    lazy = backbone.prepare(images)
    assert isinstance(lazy, LazyImages)
    assert len(lazy) == 12
    whole = torch.stack([backbone.preprocess(image) for image in images])
    assert torch.equal(torch.cat(list(lazy.split(5))), whole)
    assert [len(batch) for batch in lazy.split(5)] == [5, 5, 2]
    order = torch.tensor([3, 0, 11])
    assert torch.equal(lazy[order], whole[order])
    assert repr(lazy) == "LazyImages(12 files, 24 pixels)"
    opaque = images.prepare(lambda image: backbone.preprocess(image), 24)
    assert torch.equal(opaque[order], whole[order])


def test_only_a_few_batches_are_in_memory(pets, backbone, monkeypatch):
    images, _ = from_folder(pets).test()
    lazy, read = backbone.prepare(images), []
    monkeypatch.setattr(module, "read_picture", lambda path, upright: read.append(path) or read_picture(path, upright))
    for done, batch in enumerate(lazy.split(1)):
        assert len(read) <= done + 1 + module.AHEAD
        assert len(batch) == 1
    read.clear()
    for _ in lazy.split(1):
        break
    assert len(read) <= 1 + module.AHEAD, "a caller that stops leaves nothing running"


def test_methods_take_lazy_images_as_tensors(pets, backbone):
    task = from_folder(pets)
    images, labels = task.test()
    lazy, whole = backbone.prepare(images), torch.stack([backbone.preprocess(image) for image in images])
    for name, options in (("zero-shot", {}), ("maple", {"depth": 2})):
        method = METHODS[name](backbone, task.classnames, **options)
        assert accuracy(method, lazy, labels, batch_size=5) == accuracy(method, whole, labels)
        torch.testing.assert_close(probabilities(method, lazy), probabilities(method, whole))
        [first, second] = ([name for [(name, _)] in predict(method, shown)] for shown in (lazy, images))
        assert first == second
    coop = METHODS["coop"](backbone, task.classnames)
    torch.testing.assert_close(keep_features(coop, lazy), keep_features(coop, whole))
    with pytest.raises(ValueError, match=r"images are Pictures, but .* backbone.prepare makes it"):
        accuracy(method, images, labels)
    with pytest.raises(ValueError, match="there are 12 images"):
        accuracy(method, lazy, labels[:3])
    with pytest.raises(ValueError, match="images are LazyImages"):
        accuracy(method, backbone.prepare(images[:0]), labels[:0])


def test_a_file_that_breaks_after_it_was_checked_is_named(pets, backbone):
    task = from_folder(pets)
    images, labels = task.test()
    Path(images.paths[4]).write_bytes(b"gone")
    method = METHODS["zero-shot"](backbone, task.classnames)
    with pytest.raises(ValueError, match="cannot be read as an image") as said:
        accuracy(method, backbone.prepare(images), labels)
    assert images.paths[4] in str(said.value)

"""ImageNet and its variants: CLIP's names with no two alike, and test sets of their own classes."""

from pathlib import Path

import open_clip
import pytest
from clips import clip
from photos import folders, photo, write

from vlprompt import tasks
from vlprompt.sentences import read_names
from vlprompt.tasks import imagenet


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("VLPROMPT_DATASETS", raising=False)


IDS = imagenet.known_ids("imagenet_synsets.txt")
FEW = ["n01440764", "n01498041", "n03773504", "n04008634", "n04355933", "n04356056"]  # in order
NAMES = ["tench", "stingray", "missile", "missile", "sunglasses", "sunglasses"]
APART = ["tench", "stingray", "missile", "projectile", "sunglass", "sunglasses"]


def small_imagenet(root, place="imagenet/images"):
    write(root / "imagenet/classnames.txt", "".join(f"{w} {n}\n" for w, n in zip(FEW, NAMES, strict=True)))
    folders(root / place / "train", FEW, 8, ".JPEG")
    folders(root / place / "val", FEW, 2, ".JPEG")
    return root


@pytest.mark.parametrize("place", ["imagenet/images", "imagenet"])
def test_imagenet(tmp_path, place):
    task = tasks.load("ImageNet", small_imagenet(tmp_path, place))
    assert task.name == "imagenet"
    assert task.classnames == APART
    assert task.template == "a photo of a {}."
    images, labels = task.test()
    assert labels.tolist() == [y for y in range(6) for _ in range(2)]
    assert [Path(p).parent.name for p in images.paths] == [w for w in FEW for _ in range(2)]
    train, val = (getattr(task, side)(4, seed=1)[0].paths for side in ("train", "validation"))
    assert len(set(train) | set(val)) == 48, "validation is on further training images, not on the test images"
    assert list(task.split.train[0]) == sorted(task.split.train[0])


def test_names_of_imagenet_are_clips_and_no_two_are_the_same():
    names = imagenet.names_of(Path("/nowhere"))
    assert list(names) == sorted(names) == IDS
    assert len(set(names.values())) == 1000
    changed = {w: n for (w, n), old in zip(names.items(), open_clip.IMAGENET_CLASSNAMES, strict=True) if n != old}
    assert changed == {"n04008634": "projectile", "n04355933": "sunglass"}
    assert len(read_names(clip(context=77), list(names.values()))) == 1000


def test_names_that_nothing_tells_apart_are_refused(tmp_path):
    write(tmp_path / "imagenet/classnames.txt", "n01440764 fish\nn01498041 fish\n")
    with pytest.raises(ValueError, match="calls both n01440764 and n01498041 'fish'"):
        imagenet.names_of(tmp_path)


def test_the_lists_of_a_and_r_are_two_hundred_each():
    for name in ("imagenet_a_synsets.txt", "imagenet_r_synsets.txt"):
        listed = imagenet.known_ids(name)
        assert len(listed) == 200
        assert set(listed) <= set(IDS)
    assert FEW[1] in imagenet.known_ids("imagenet_a_synsets.txt")


def test_variants_are_test_sets_of_their_own_classes(tmp_path):
    root = small_imagenet(tmp_path)
    task = tasks.load("imagenet", root)
    assert task.domains() == {}
    folders(root / "imagenetv2/imagenetv2-matched-frequency-format-val", [str(IDS.index(w)) for w in FEW], 1, ".jpeg")
    folders(root / "imagenet-sketch/images", FEW, 3, ".JPEG")
    in_a = [w for w in FEW if w in imagenet.known_ids("imagenet_a_synsets.txt")]
    in_r = [w for w in FEW if w in imagenet.known_ids("imagenet_r_synsets.txt")]
    folders(root / "imagenet-adversarial/imagenet-a", in_a, 2)
    folders(root / "imagenet-r", in_r, 2)
    (root / "imagenet-r/README.txt").write_text("hello")
    task = tasks.load("imagenet", root)
    domains = task.domains()
    assert task.domains() == domains, "equal, so that features can be kept for them"
    assert list(domains) == ["imagenet-v2", "imagenet-sketch", "imagenet-a", "imagenet-r"]
    assert domains["imagenet-v2"].classnames == domains["imagenet-sketch"].classnames == APART
    for name, ids in (("imagenet-a", in_a), ("imagenet-r", in_r)):
        assert 0 < len(ids) < 6
        assert domains[name].classnames == [APART[FEW.index(w)] for w in ids]
        images, labels = domains[name].test()
        assert [Path(p).parent.name for p in images.paths] == [ids[y] for y in labels]
    images, labels = domains["imagenet-v2"].test()
    assert [Path(p).parent.name for p in images.paths] == [str(IDS.index(FEW[y])) for y in labels]
    assert tasks.load("imagenet-sketch", root).test()[1].bincount().tolist() == [3] * 6
    assert task.base().domains()["imagenet-sketch"].classnames == APART[:3]
    with pytest.raises(ValueError, match="imagenet-a has no training images"):
        domains["imagenet-a"].train()


def test_what_is_wrong_with_imagenet_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"the images of imagenet are not there: put them in .*imagenet/images/val or"):
        tasks.load("imagenet", tmp_path)
    root = small_imagenet(tmp_path)
    with pytest.raises(ValueError, match=r"the images of imagenet-r are not there: put them in .*imagenet-r or"):
        tasks.load("imagenet-r", root)
    photo(root / "imagenet/images/val/n99999999/0.JPEG")
    with pytest.raises(ValueError, match=r"n99999999 is no class of ImageNet, or classnames.txt does not name it"):
        tasks.load("imagenet", root)
    (root / "imagenet/images/val/n99999999/0.JPEG").unlink()
    (root / "imagenet/images/val/n99999999").rmdir()
    for file in (root / "imagenet/images/val" / FEW[3]).iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=f"the class folder .*{FEW[3]} is empty"):
        tasks.load("imagenet", root)
    (root / "imagenet/images/val" / FEW[3]).rmdir()
    with pytest.raises(ValueError, match=f"the class folder .*{FEW[3]} is not there"):
        tasks.load("imagenet", root)


def test_imagenet_can_be_tested_on_without_its_training_images(tmp_path):
    folders(tmp_path / "imagenet/val", FEW, 1, ".JPEG")
    write(tmp_path / "classnames.txt", "".join(f"{w} {n}\n" for w, n in zip(FEW, APART, strict=True)))
    task = tasks.load("imagenet", tmp_path)
    assert len(task.test()[0]) == 6
    with pytest.raises(ValueError, match="imagenet has no training images"):
        task.train()

"""Random views: torchvision's windows from a seed of one's own, and training on them that resumes."""

import dataclasses
from functools import partial

import pytest
import torch
from clips import clip
from hypothesis import given
from hypothesis import strategies as st
from open_clip import image_transform
from photos import photo
from PIL import Image
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as F

import vlprompt.train
from vlprompt.augment import RandomViews, keep_views
from vlprompt.methods import METHODS
from vlprompt.pictures import Pictures
from vlprompt.recipes import Recipe

fit = partial(vlprompt.train.fit, progress=False)
RECIPE = Recipe(0.1, 3, 4)


@pytest.fixture
def pictures(tmp_path):
    """Twelve pictures of three classes, each of a size of its own, and their labels."""
    paths = [photo(tmp_path / f"{i}.png", seed=i, size=(32 + 8 * (i % 3), 40 - 8 * (i % 2))) for i in range(12)]
    return Pictures(tuple(map(str, paths))), torch.arange(12) % 3


@pytest.fixture(scope="module")
def backbone():
    """The small random CLIP, with CLIP's own preprocessing."""
    made = clip()
    return dataclasses.replace(made, preprocess=image_transform(made.image_size, is_train=False))


def method(backbone, name="coop", seed=0):
    return METHODS[name](backbone, ["cat", "dog", "cow"], seed=seed, **({"depth": 2} if name == "maple" else {}))


def learned(method):
    return torch.cat([p.detach().flatten() for p in method.parameters()])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# ---- the view ------------------------------------------------------------------------------------


@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 10**6))
def test_windows_are_those_of_torchvision(height, width, seed):
    views = RandomViews()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        wanted = RandomResizedCrop.get_params(torch.zeros(3, height, width), list(views.scale), list(views.ratio))
    top, left, h, w = views.window(height, width, seeded(seed))
    assert (top, left, h, w) == wanted
    assert 0 <= top <= top + h <= height
    assert 0 <= left <= left + w <= width


def test_a_view_of_a_picture_is_the_papers(pictures):
    """Crop and resize as torchvision's transform does them with the same random numbers, and a flip half the time."""
    image, crop = pictures[0][0], RandomResizedCrop(24, interpolation=InterpolationMode.BICUBIC)
    flipped = 0
    for seed in range(60):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            wanted = F.pil_to_tensor(crop(image))
        view = F.pil_to_tensor(RandomViews().picture(image, 24, seeded(seed)))
        assert view.shape == (3, 24, 24)
        flipped += not torch.equal(view, wanted)
        assert torch.equal(view, wanted) or torch.equal(view, wanted.flip(-1))
    assert 15 <= flipped <= 45


def test_a_batch_of_tensors_gets_a_view_each(backbone):
    image = torch.rand(1, 3, 24, 24, generator=seeded(0)).expand(8, -1, -1, -1)
    state = torch.random.get_rng_state()
    views = RandomViews()(image, seeded(1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert views.shape == image.shape
    assert not torch.equal(views[0], views[1])
    assert torch.equal(views, RandomViews()(image, seeded(1)))
    whole = RandomViews(scale=(1, 1), ratio=(1, 1), flip=0)(image, seeded(1))
    torch.testing.assert_close(whole, image)
    assert torch.equal(RandomViews(scale=(1, 1), ratio=(1, 1), flip=1)(image, seeded(1)), whole.flip(-1))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": (0, 1)}, "scale is"),
        ({"scale": (0.5, 0.4)}, "scale is"),
        ({"scale": (0.5, 2)}, "scale is"),
        ({"ratio": (2, 1)}, "ratio is"),
        ({"flip": 1.5}, "flip is 1.5"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        RandomViews(**options)


# ---- in training ---------------------------------------------------------------------------------


def test_each_epoch_shows_other_views_and_the_same_seed_the_same(pictures, backbone):
    lazy = backbone.prepare(pictures[0])
    everything = torch.arange(12)
    first = lazy.seen(RandomViews(), 1, 0)[everything]
    assert torch.equal(first, lazy.seen(RandomViews(), 1, 0)[everything])
    assert torch.equal(first[7], lazy.seen(RandomViews(), 1, 0)[torch.tensor([7])][0]), "whatever the batch"
    for seed, epoch in ((1, 1), (2, 0)):
        assert not torch.equal(first, lazy.seen(RandomViews(), seed, epoch)[everything])
    one = backbone.prepare(Pictures((pictures[0].paths[0],) * 2)).seen(RandomViews(), 1, 0)[everything[:2]]
    assert not torch.equal(one[0], one[1]), "each place in the list has a view of its own"
    assert repr(lazy.seen(RandomViews(), 1, 0)) == "LazyImages(12 files, 24 pixels, random views)"


@pytest.mark.parametrize("name", ["coop", "maple"])
def test_training_on_views_is_that_on_the_tensors_of_the_views(name, pictures, backbone):
    """Epoch by epoch, with the batches that the seed orders: nothing else happens in between."""
    lazy, labels = backbone.prepare(pictures[0]), pictures[1]
    trained = method(backbone, name)
    losses = fit(trained, lazy, labels, RECIPE, seed=5, augment=RandomViews())

    twin, epoch = method(backbone, name), iter(range(12))
    shown = [lazy.seen(RandomViews(), 5, e)[torch.arange(12)] for e in range(3)]
    order = seeded(5)
    batches = [batch for _ in range(3) for batch in vlprompt.train.batches(12, 4, order)]

    def replay(images, generator):
        step = next(epoch)
        return shown[step // 3][batches[step]]

    assert fit(twin, shown[0], labels, RECIPE, seed=5, augment=replay) == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(learned(trained), learned(twin), rtol=1e-5, atol=1e-6)
    other = method(backbone, name)
    fit(other, lazy, labels, RECIPE, seed=5)
    assert not torch.allclose(learned(trained), learned(other))


@pytest.mark.parametrize("augment", [None, RandomViews()])
def test_an_interrupted_run_on_files_ends_as_if_it_never_was(pictures, backbone, tmp_path, augment):
    lazy, labels = backbone.prepare(pictures[0]), pictures[1]
    run = partial(fit, images=lazy, labels=labels, recipe=RECIPE, augment=augment)
    whole = method(backbone, "maple")
    losses = run(whole)
    stopped, steps = method(backbone, "maple"), []
    forward = stopped.forward

    def interrupt(images):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return forward(images)

    stopped.forward = interrupt
    with pytest.raises(KeyboardInterrupt, match="stopped after 1 of 3 epochs"):
        run(stopped, checkpoint=tmp_path / "state")
    again = method(backbone, "maple")
    assert run(again, checkpoint=tmp_path / "state") == losses
    assert torch.equal(learned(again), learned(whole))
    for change, says in (
        ({"augment": RandomViews(flip=0.1)}, r"augmentation \(.* there, RandomViews\(.*flip=0.1\) here"),
        ({"images": backbone.prepare(pictures[0][::-1])}, "sha256 of the images"),
    ):
        with pytest.raises(ValueError, match=says):
            run(method(backbone, "maple"), checkpoint=tmp_path / "state", **change)


def test_a_moved_folder_is_the_same_run(pictures, backbone, tmp_path):
    lazy = backbone.prepare(pictures[0])
    moved = []
    for i, path in enumerate(pictures[0].paths):
        moved.append(str((tmp_path / "moved").joinpath(f"{i}.png")))
        (tmp_path / "moved").mkdir(exist_ok=True)
        with open(path, "rb") as source, open(moved[-1], "wb") as target:
            target.write(source.read())
    assert backbone.prepare(Pictures(tuple(moved))).sha256() == lazy.sha256()
    photo(tmp_path / "moved/3.png", seed=99)
    assert backbone.prepare(Pictures(tuple(moved))).sha256() != lazy.sha256()


def test_kept_views_train_to_the_same_result(pictures, backbone):
    lazy, labels = backbone.prepare(pictures[0]), pictures[1]
    shown, kept = method(backbone), method(backbone)
    losses = fit(shown, lazy, labels, RECIPE, seed=2, augment=RandomViews())
    views = keep_views(kept, lazy, RandomViews(), epochs=3, seed=2)
    assert views.shape == (3, 12, 24)
    assert fit(kept, views, labels, RECIPE, seed=2) == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(learned(kept), learned(shown), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"augment": lambda images, generator: images}, r"give augment=RandomViews\(\)"),
        ({"images": torch.randn(2, 12, 24)}, r"views \(V, N, E\) for 2 epochs, but the recipe has 3"),
        ({"images": torch.randn(3, 11, 24)}, "there are 11 images"),
        ({"images": torch.randn(3, 12, 24), "augment": RandomViews()}, "features cannot be augmented"),
    ],
)
def test_bad_input_is_refused_before_any_work(pictures, backbone, change, says):
    run = {"images": backbone.prepare(pictures[0]), "labels": pictures[1], "recipe": RECIPE}
    learner = method(backbone)
    before = learned(learner)
    with pytest.raises(ValueError, match=says):
        fit(learner, **run | change)
    assert torch.equal(learned(learner), before)


def test_views_are_kept_of_files_and_of_methods_that_leave_the_image_tower_alone(pictures, backbone):
    with pytest.raises(ValueError, match="views are kept of pictures in files"):
        keep_views(method(backbone), torch.zeros(2, 3, 24, 24), RandomViews(), epochs=1)
    with pytest.raises(ValueError, match="change with its prompts"):
        keep_views(method(backbone, "maple"), backbone.prepare(pictures[0]), RandomViews(), epochs=1)


def test_pictures_smaller_than_the_view_are_enlarged(tmp_path, backbone):
    path = photo(tmp_path / "tiny.png", size=(8, 8))
    image = backbone.prepare(Pictures((str(path),))).seen(RandomViews(), 1, 0)[torch.tensor([0])]
    assert image.shape == (1, 3, 24, 24)
    assert isinstance(Pictures((str(path),))[0], Image.Image)

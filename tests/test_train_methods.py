"""Every method of the command line trains, and goes on after an interruption, on a small CLIP."""

from functools import partial

import open_clip
import pytest
import torch

from vlprompt.backbone import wrap
from vlprompt.evaluate import accuracy, keep_features
from vlprompt.methods import METHODS
from vlprompt.recipes import PAPER, Recipe
from vlprompt.train import fit

NAMES = ["cat", "dog", "polar bear", "cow"]
SMALLER = {"padding": {"width": 3}, "fixed-patch": {"size": 6}, "random-patch": {"size": 6}}
FAST = Recipe(0.02, 4, 8, optimizer="adamw", weight_decay=0.0)


@pytest.fixture(scope="module")
def backbone():
    """A CLIP of 12 narrow layers a tower with random weights, 24-pixel images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(
            embed_dim=16,
            vision_cfg={
                "image_size": 24,
                "layers": 12,
                "width": 32,
                "head_width": 16,
                "patch_size": 8,
            },
            text_cfg={"context_length": 24, "width": 24, "heads": 2, "layers": 12},
        )
    tokenizer = open_clip.SimpleTokenizer(context_length=24)
    return wrap(model, tokenizer, preprocess=None)


@pytest.fixture(scope="module")
def data():
    """Images (16, 3, 24, 24) that the mean of a class tells apart, and their labels."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(16) % 4
    means = torch.randn(4, 3, 24, 24, generator=generator)
    return means[labels] + 0.2 * torch.randn(16, 3, 24, 24, generator=generator), labels


def test_every_method_has_a_recipe():
    assert METHODS.keys() <= PAPER.keys()


@pytest.mark.parametrize("name", METHODS)
def test_it_learns_and_goes_on_to_the_same_result(name, backbone, data, tmp_path):
    build = METHODS[name]
    options = SMALLER.get(name, {})
    whole = build(backbone, NAMES, **options)
    if not list(whole.parameters()):
        assert fit(whole, *data, FAST, progress=False) == []
        return
    losses = fit(whole, *data, FAST, progress=False)
    if name != "random-patch":  # its place, and so its loss, is drawn anew at each step
        assert losses[-1] < losses[0]
    assert 0 <= accuracy(whole, *data) <= 100

    shown = []

    def stops_in_epoch_3(batch, generator):
        shown.append(batch)
        if len(shown) == 5:
            raise KeyboardInterrupt
        return batch

    train = partial(fit, recipe=FAST, augment=stops_in_epoch_3, progress=False)
    first, again, whole = (build(backbone, NAMES, **options) for _ in range(3))
    with pytest.raises(KeyboardInterrupt, match="after 2 of 4 epochs"):
        train(first, *data, checkpoint=tmp_path / "state")
    assert train(again, *data, checkpoint=tmp_path / "state") == train(whole, *data)
    for a, b in zip(again.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", METHODS)
def test_kept_features_change_no_result(name, backbone, data):
    method = METHODS[name](backbone, NAMES, **SMALLER.get(name, {}))
    images, labels = data
    if not method.keeps_image_features:
        return
    features = keep_features(method, images, batch_size=5)
    assert accuracy(method, features, labels) == accuracy(method, images, labels)
    torch.testing.assert_close(method.classifier()(features), method(images), rtol=1e-4, atol=1e-4)

"""Pretraining goes on where it was interrupted with the same result, and its weights load as they were."""

import json
from random import Random

import pytest
import torch
from safetensors.torch import load_file
from worlds import NAMES, small_world

from vlprompt import backbone as backbones
from vlprompt import pretrain as module
from vlprompt.engine import encode_image, encode_text
from vlprompt.pretrain import Recipe, World, contrastive_loss, make_optimisers, pretrain
from vlprompt.sentences import fill
from vlprompt.tasks.captions import caption
from vlprompt.tasks.classes import positions
from vlprompt.tasks.drawings import load_drawings

SMALL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 48, "patch_size": 24, "width": 64, "layers": 2, "head_width": 32},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 2},
    "quick_gelu": False,
}
RECIPE = Recipe(steps=6, batch=6, warmup=2, seed=3)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "MODEL", SMALL)
    monkeypatch.setattr(module, "load_drawings", small_world)


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(tmp_path, monkeypatch):
    pretrain(tmp_path / "whole", RECIPE, progress=False)
    real, calls = module.contrastive_loss, []

    def stopping(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(module, "contrastive_loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "parts", RECIPE, every=2, progress=False)
    assert not (tmp_path / "parts/weights.safetensors").exists()
    pretrain(tmp_path / "parts", RECIPE, every=2, progress=False)
    assert len(calls) == 4 + 4  # steps 0, 1, 2, (3), then from the checkpoint after two: 2, 3, 4, 5
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        whole, parts = (load_file(tmp_path / folder / name) for folder in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[k], parts[k]) for k in whole), name


@pytest.mark.parametrize("change", [{"seed": 4}, {"lr": 1e-4}, {"steps": 5}])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change):
    pretrain(tmp_path, RECIPE, progress=False)
    with pytest.raises(ValueError, match=next(iter(change))):
        pretrain(tmp_path, Recipe(**{**RECIPE.__dict__, **change}), progress=False)


def test_the_plan_may_be_made_longer_before_the_learning_rate_falls(tmp_path, monkeypatch):
    longer = Recipe(**{**RECIPE.__dict__, "steps": 12})
    pretrain(tmp_path / "whole", longer, progress=False)
    monkeypatch.setattr(module, "export", lambda *_: None)

    real = module.contrastive_loss

    def stopping(*args):
        stopping.calls += 1
        if stopping.calls == 4:
            raise KeyboardInterrupt
        return real(*args)

    stopping.calls = 0
    monkeypatch.setattr(module, "contrastive_loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "parts", RECIPE, every=3, progress=False)
    pretrain(tmp_path / "parts", longer, every=3, progress=False)
    whole, parts = (load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_the_loss_falls():
    world = World(small_world())
    model = module.build(len(world.token_ids), 0)
    recipe = Recipe(steps=10**6, batch=12, warmup=5)
    optimisers = make_optimisers(model, recipe)
    losses = []
    for step in range(80):
        for optimiser in optimisers:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(step)
        losses.append(contrastive_loss(model, *world.batch(recipe, step)))
        losses[-1].backward()
        for optimiser in optimisers:
            optimiser.step()
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_weights_load_as_the_backbone_that_was_trained(tmp_path, monkeypatch):
    model = pretrain(tmp_path, RECIPE, progress=False).eval()
    monkeypatch.setattr(backbones, "data_file", lambda name: tmp_path)
    backbone = backbones.load("tiny", device="cpu")
    world = World(small_world())
    images, tokens = world.batch(RECIPE, 0)
    with torch.no_grad():
        wanted = model.visual(images)
        found = encode_image(backbone, images)
        assert torch.allclose(found, wanted, atol=0.02, rtol=0.02)  # float16 in between
        texts = module.encode_text(model, tokens)
        words = [world.token_ids[row[1:end]].tolist() for row, end in zip(tokens, tokens.argmax(1), strict=True)]
        sentences = fill(backbone, "{}", [backbone.tokenizer.decode(w).strip() for w in words])
        assert torch.allclose(encode_text(backbone, sentences), texts, atol=0.02, rtol=0.02)
    assert json.loads((tmp_path / "config.json").read_text())["recipe"]["seed"] == 3


def test_learning_rate_rises_stays_and_falls_to_nothing():
    recipe = Recipe(steps=100, warmup=10, lr=1.0, decay=0.25)
    rates = [recipe.rate(s) for s in range(100)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates[10:75] == [1.0] * 65
    assert rates[75:] == pytest.approx([1 - k / 25 for k in range(25)])


def test_a_batch_depends_on_seed_and_step_alone():
    world = World(small_world())
    one, two = world.batch(RECIPE, 5), world.batch(RECIPE, 5)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], world.batch(RECIPE, 6)[0])
    assert len(one[1].unique(dim=0)) == RECIPE.batch


def test_every_caption_is_made_of_the_listed_tokens_and_fits():
    world = World(load_drawings())
    texts = [
        caption(thing, name, style, random.random(), random.uniform(-1, 1), random.uniform(-1, 1), "red", random)
        for thing, name in zip(world.things, world.names, strict=True)
        for style in world.styles[thing.name][:2]
        for random in [Random(f"{thing.name}{style}")]
    ]
    tokens = world.tokenize(texts)
    assert set(tokens.unique().tolist()) <= set(world.token_ids.tolist())
    assert (tokens == 49407).sum(1).eq(1).all()  # none is cut off before its end token
    assert 8 < tokens.argmax(1).float().mean() < 16


def test_names_used_here_are_no_classes():
    assert not {f"{name} one" for name in NAMES} & set(positions())

"""The whole path from image files to a result, on the small CLIP and on a ViT-B/16 with random weights."""

import json

import pytest
import torch
from photos import album, photo
from typer.testing import CliRunner

import vlprompt
from vlprompt.augment import RandomViews
from vlprompt.cli import app
from vlprompt.evaluate import accuracy
from vlprompt.protocols import Run, few_shot
from vlprompt.recipes import recipe
from vlprompt.tasks import from_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))


def colours(root, count=6):
    """Classes that are told apart at a glance: photos of one colour each."""
    for colour in ("red", "green", "blue", "yellow"):
        for i in range(count):
            photo(root / f"{colour}_thing" / f"{i}.jpg", size=(60 + i, 50), colour=colour)
    return root


def run(*arguments):
    result = CliRunner().invoke(app, ["run", *map(str, arguments), "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_folder_of_ones_own_from_the_command_line(tmp_path):
    root = colours(tmp_path / "things")
    result = run("coop", "--task", root, "--shots", 2, "--epochs", 10)
    assert result["task"] == "things"
    assert result["accuracies"]["base"] == 100.0, "two plain colours are learned"
    zero = run("zero-shot", "--task", root)
    assert set(zero["accuracies"]) == {"base", "new", "harmonic_mean"}


def test_a_dataset_by_name_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_DATASETS", str(tmp_path))
    album(tmp_path / "eurosat/2750", dict.fromkeys(("Forest", "River", "Highway", "Pasture"), 6), ".jpg")
    result = run("zero-shot", "--task", "eurosat", "--protocol", "few-shot")
    assert result["task"] == "eurosat"
    assert 0 <= result["accuracies"]["all"] <= 100


@pytest.mark.parametrize(
    ("task", "says"),
    [("no/such/folder", "there is no folder no/such/folder"), ("dtd", "dtd lies in files: say below which folder")],
)
def test_what_is_not_there_is_one_line_and_exit_2(task, says, monkeypatch):
    monkeypatch.delenv("VLPROMPT_DATASETS", raising=False)
    result = CliRunner().invoke(app, ["run", "coop", "--task", task])
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_each_method_learns_from_files(tmp_path):
    """The small CLIP, one step an epoch: prompts of every kind get a gradient from images that are read."""
    backbone, task = vlprompt.load("tiny", device="cpu"), from_folder(colours(tmp_path / "things"))
    for method in ("coop", "cocoop", "vpt-deep", "maple", "padding"):
        plan = recipe(method, "tiny", epochs=2, warmup=0, batch_size=8)
        result = few_shot(Run(method, backbone, task, plan, shots=2))
        assert 0 <= result.accuracies["all"] <= 100
        assert result.seconds["train"] > 0


@pytest.mark.slow
def test_a_random_vit_b16_runs_from_end_to_end(tmp_path):
    """As the paper's model, without its weights: 224 pixels, twelve layers, a context of four words."""
    root = album(tmp_path / "pets", {"cat": 4, "dog": 4}, ".jpg")
    vit = ("--backbone", "ViT-B-16", "--pretrained", "random")
    result = run("coop", "--task", root, "--protocol", "few-shot", "--shots", 1, "--epochs", 2, *vit)
    assert result["backbone"] == "ViT-B-16"
    assert result["n_params"] == 4 * 512
    assert result["accuracies"]["all"] in (0.0, 50.0, 100.0)


@pytest.mark.slow
def test_a_random_vit_b16_takes_prompts_in_both_towers(tmp_path):
    backbone = vlprompt.load("ViT-B-16", pretrained="random", device="cpu")
    task = from_folder(album(tmp_path / "pets", {"cat": 4, "dog": 4}, ".jpg"))
    images, labels = task.train(1)
    lazy = backbone.prepare(images)
    assert lazy[torch.arange(2)].shape == (2, 3, 224, 224)
    assert torch.equal(lazy[torch.arange(2)], torch.stack([backbone.preprocess(image) for image in images]))
    maple = vlprompt.methods.MaPLe(backbone, task.classnames, depth=9, length=2, init="a photo of a")
    before = accuracy(maple, lazy, labels)
    plan = recipe("maple", epochs=2, batch_size=2, warmup=0, lr=0.01)
    losses = vlprompt.fit(maple, lazy, labels, plan, progress=False)
    assert losses[1] < losses[0]
    assert accuracy(maple, lazy, labels) >= before
    assert lazy.seen(RandomViews(), 1, 0)[torch.arange(2)].shape == (2, 3, 224, 224)

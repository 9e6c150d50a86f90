"""The viewer of prompts in pixels shows what the methods do, trains them, and says what is missing or went wrong."""

import dataclasses
import re

import panels
import pytest
import torch
from clips import clip
from colours import NAMES, pictures_and_labels, small_clip, small_task, writes
from torchvision.transforms import Compose, Normalize, Resize, ToTensor

from vlprompt import evaluate, inspect
from vlprompt.methods import METHODS, FixedPatch, Padding, RandomPatch, ZeroShot, count
from vlprompt.methods.pixel import TEMPLATE
from vlprompt.points import COLUMNS
from vlprompt.recipes import recipe
from vlprompt.store import as_frame
from vlprompt.train import fit
from vlprompt.widgets import view_pixels
from vlprompt.widgets.runner import WORKER

SHORT = {"epochs": 3, "batch_size": 4, "warmup": 0, "lr": 2.0}  # epochs of 10 pictures
OPTION = {"padding": "width", "fixed-patch": "size", "random-patch": "size"}


def viewer(**options):
    """A panel that knows no stored results."""
    return view_pixels(small_clip(), small_task(), **({"rows": stored([])} | options))


def stored(accuracies, **changes):
    """Rows of the experiment: (method, options, seed, accuracy)."""
    common = {"protocol": "few-shot", "task": "colours", "split": "all", "shots": 16, "backbone": "tiny"}
    common |= {"weights": small_clip().fingerprint, "recipe": "{}", "n_params": 1, "device": "cpu", "version": "0"}
    rows = [
        dict.fromkeys(COLUMNS) | common | {"method": m, "options": o, "seed": s, "accuracy": a} | changes
        for m, o, s, a in accuracies
    ]
    return as_frame(rows)


def press_train(shown):
    panels.press(shown, "Train here")
    assert WORKER.wait(60)


def without():
    method = ZeroShot(small_clip(), NAMES, templates=TEMPLATE)
    return evaluate.accuracy(method, *pictures_and_labels())


# ---- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["padding", "fixed-patch"])
@pytest.mark.parametrize("size", [1, 6, 24])
def test_an_untrained_prompt_is_that_of_its_method_and_is_said_to_be_noise(kind, size):
    shown = viewer()
    shown.set(kind=kind, size=size, name="hen", number=3)
    method = METHODS[kind](small_clip(), NAMES, **{OPTION[kind]: size, "seed": 1})
    images, labels = pictures_and_labels()
    place = int((labels == 3).nonzero()[2])
    [[(answer, sure)]] = evaluate.predict(method, images[place : place + 1])
    assert f"{size} pixels, {count(method):,} numbers, not trained: its numbers are noise." in shown.view.words
    assert f"with it {answer} ({100 * sure:.0f} %)" in shown.view.words
    scene = small_task().test()[0][place]
    wanted = inspect.frame_pictures(small_clip(), scene, method.prompts().pixels)
    drawn = [image.get_array() for image in shown.view.figure.axes[0].images]
    assert all((one == other).all() for one, other in zip(drawn, wanted.values(), strict=True))


def test_what_the_clip_says_without_a_prompt():
    shown = viewer()
    shown.set(name="fox", number=2)
    images, labels = pictures_and_labels()
    place = int((labels == 4).nonzero()[1])
    method = ZeroShot(small_clip(), NAMES, templates=TEMPLATE)
    [[(answer, sure)]] = evaluate.predict(method, images[place : place + 1])
    assert f"The picture shows fox: without the prompt the CLIP says {answer} ({100 * sure:.0f} %)" in shown.view.words
    assert f"Of all test pictures {without():.1f} % are named right without a prompt" in shown.view.words


def test_a_random_patch_stands_still_on_one_picture_and_elsewhere_on_another():
    shown = viewer()
    shown.set(kind="random-patch", size=8)
    first = shown.picture.value
    places = set()
    for number in (1, 2, 3, 4, 1):
        shown.controls["number"].value = number
        prompt = shown.view.figure.axes[0].images[1].get_array()
        rows, columns = (prompt != prompt[-1, -1]).any(-1).nonzero()
        places.add((rows.min(), columns.min()))
    assert shown.picture.value == first
    assert len(places) > 2


def test_features_that_are_given_are_used(monkeypatch):
    images, _ = pictures_and_labels()
    features = evaluate.keep_features(ZeroShot(small_clip(), NAMES), images)
    monkeypatch.setattr("vlprompt.widgets.frame.keep_features", lambda *_: pytest.fail("encoded again"))
    assert f"{without():.1f} %" in viewer(features=features).view.words


def test_pictures_of_another_size_are_shown_as_the_network_sees_them():
    steps = Compose([Resize(24), ToTensor(), Normalize((0.5,) * 3, (0.25,) * 3)])
    backbone = dataclasses.replace(clip(name="half"), preprocess=steps)
    shown = view_pixels(backbone, small_task(), rows=stored([]))
    assert not shown.error
    assert shown.controls["size"].max == 12
    assert [image.get_array().shape for image in shown.view.figure.axes[0].images] == [(24, 24, 3)] * 3


# ---- trained prompts and stored results ---------------------------------------------------------


def test_a_trained_prompt_that_is_given_is_shown_with_its_accuracy():
    frame, patch = Padding(small_clip(), NAMES, width=4), FixedPatch(small_clip(), NAMES, size=4)
    with torch.no_grad():
        frame.up.fill_(2.0)
    shown = viewer(trained=[frame, patch])
    shown.set(kind="padding", size=4)
    accuracy = evaluate.accuracy(frame, *pictures_and_labels())
    assert "numbers, trained." in shown.view.words
    assert f"{accuracy:.1f} % with this one" in shown.view.words
    assert re.search(rf"padding, here</th><td[^>]*>{accuracy:.1f}</td>", shown.view.below)
    shown.controls["size"].value = 5
    assert "not trained" in shown.view.words


def test_methods_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="ZeroShot is no prompt in pixels"):
        viewer(trained=[ZeroShot(small_clip(), NAMES)])
    with pytest.raises(ValueError, match="of other classes than those of colours"):
        viewer(trained=[RandomPatch(small_clip(), NAMES[:2])])
    with pytest.raises(ValueError, match="no part of a point is named 'shot'"):
        viewer(shot=3)
    with pytest.raises(ValueError, match="a recipe has no 'epoch'"):
        viewer(changes={"epoch": 3})


def test_stored_results_give_the_accuracy_by_size():
    rows = stored(
        [("padding", '{"width": 2}', s, 40.0 + s) for s in (1, 2, 3)] + [("fixed-patch", '{"size": 6}', 1, 9.0)]
    )
    shown = viewer(rows=rows)
    shown.set(kind="padding", size=2)
    assert "42.0 % with trained ones of this size in the stored runs" in shown.view.words
    assert "No stored runs" not in shown.view.words
    shown.controls["size"].value = 3
    assert "in the stored runs" not in shown.view.words
    assert ">42.0<" in shown.view.below
    lines = {line.get_label(): line.get_xydata().tolist() for line in shown.view.figure.axes[1].lines}
    assert lines["padding"] == [[2, 42]]
    assert lines["fixed-patch"] == [[6, 9]]


@pytest.mark.parametrize("other", [{"weights": "ffff"}, {"task": "plants"}, {"shots": 4}])
def test_results_of_something_else_are_not_shown(other):
    shown = viewer(rows=stored([("padding", '{"width": 6}', 1, 77.0)], **other))
    assert "No stored runs fit this task, these weights and these shots." in shown.view.words
    assert "77" not in shown.view.words + shown.view.below


def test_no_table_of_results_at_all_is_said(monkeypatch):
    def nothing(name):
        raise ValueError(f"there are no stored results named {name!r}")

    monkeypatch.setattr("vlprompt.widgets.patches.stored", nothing)
    shown = view_pixels(small_clip(), small_task())
    assert not shown.error
    assert "No stored runs" in shown.view.words


# ---- training -----------------------------------------------------------------------------------


def test_train_here_trains_what_is_shown_as_fit_does():
    shown, other = viewer(shots=2, changes=SHORT), viewer(shots=2, changes=SHORT)
    shown.set(kind="fixed-patch", size=10)
    other.set(kind="fixed-patch", size=10)
    before = other.picture.value
    press_train(shown)
    method = FixedPatch(small_clip(), NAMES, size=10, seed=1)
    noise = evaluate.accuracy(method, *pictures_and_labels())
    scenes, labels = small_task().train(2, 1)
    plan = recipe("fixed-patch", "paper", **SHORT)
    fit(method, small_clip().prepare(scenes), labels, plan, seed=1, progress=False)
    accuracy = evaluate.accuracy(method, *pictures_and_labels())
    assert "300 numbers, trained." in shown.view.words
    assert f"{accuracy:.1f} % with this one, {noise:.1f} % with its noise before the training" in shown.view.words
    assert "Done: 1 run" in panels.shown(shown)
    assert other.picture.value == before


def test_the_picture_stays_while_it_trains():
    shown = viewer(shots=2, changes=SHORT)
    before, seen = shown.picture.value, writes(shown)
    press_train(shown)
    assert len(seen) == 1
    assert seen[0] != before


def test_a_training_that_fails_is_said_and_the_next_one_goes_well(monkeypatch):
    shown = viewer(shots=2, changes=SHORT)
    before = shown.picture.value

    def broken(*_, **__):
        raise FloatingPointError("the loss is nan")

    with monkeypatch.context() as patch:
        patch.setattr("vlprompt.protocols.fit", broken)
        press_train(shown)
    said = panels.shown(shown)
    assert "<b>The training failed</b>" in said
    assert "FloatingPointError: the loss is nan" in said
    assert shown.picture.value == before
    press_train(shown)
    assert "Done" in panels.shown(shown)
    assert "numbers, trained." in shown.view.words


def test_a_recipe_that_cannot_be_run_is_said_in_the_panel():
    shown = viewer(shots=1, changes={"epochs": 1})  # the paper's, whose warm-up is 1,000 steps
    press_train(shown)
    assert "end within the warm-up of 1000" in panels.shown(shown)
    assert "not trained" in shown.view.words
    assert not shown.error


def test_every_control_has_a_label():
    shown = viewer()
    assert [control.description for control in shown.controls.values()] == [
        "Prompt", "Width or side (pixels)", "Picture of", "Number",
    ]  # fmt: skip
    assert not panels.buttons(shown)["Train here"].disabled

"""The prompt workbench shows what vlprompt.evaluate computes, and says what is wrong with a template."""

import re

import panels
import pytest
import torch
from colours import NAMES, pictures_and_labels, small_clip, small_task, writes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vlprompt import evaluate
from vlprompt.methods import ZeroShot
from vlprompt.tasks import from_folder
from vlprompt.widgets import try_templates
from vlprompt.widgets.workbench import Workbench, mistakes


def panel(**options):
    return try_templates(small_clip(), small_task(), **options)


@pytest.fixture(scope="module")
def typing():
    """One panel for all that is typed."""
    return panel()


def accuracy(template):
    method = ZeroShot(small_clip(), NAMES, templates=template)
    return evaluate.accuracy(method, *pictures_and_labels())


@pytest.mark.parametrize("template", ["a {}", "a photo of no {}.", "I received the offer from {}."])
def test_accuracy_and_gain_are_those_of_evaluate(template):
    shown = panel()
    shown.controls["template"].value = template
    gain = accuracy(template) - accuracy("{}")
    assert f"“{template}”" in shown.view.words
    assert f"{accuracy(template):.1f} %, " in shown.view.words
    assert (f"{abs(gain):.1f} points {'more' if gain > 0 else 'less'}" in shown.view.words) == (abs(gain) >= 0.05)


def test_the_name_alone_gains_nothing():
    assert "as many as with the name alone" in panel(template="{}").view.words


def test_the_chosen_pictures_and_what_they_are_called():
    shown = panel()
    shown.set(classes=("dog", "fox"), number=7)
    images, labels = pictures_and_labels()
    method = ZeroShot(small_clip(), NAMES, templates=small_task().template)
    for name in ("dog", "fox"):
        place = int((labels == NAMES.index(name)).nonzero()[6])
        [[(called, sure)]] = evaluate.predict(method, images[place : place + 1])
        said = f"{name} is named right" if called == name else f"{name} is called {called}"
        assert f"{said} ({100 * sure:.0f} %)" in shown.view.words
    assert "cow is" not in shown.view.words


def test_the_confusion_table_counts_all_test_pictures():
    state = Workbench(small_clip(), small_task())
    images, labels = pictures_and_labels()
    method = ZeroShot(small_clip(), NAMES, templates="a {}")
    answers = evaluate.probabilities(method, images).argmax(1)
    confusion = state.answers("a {}").confusion
    for row in range(len(NAMES)):
        for column in range(len(NAMES)):
            assert confusion[row, column] == ((labels == row) & (answers == column)).sum()


def test_mistakes_are_listed_the_most_frequent_first_and_right_ones_never():
    confusion = torch.tensor([[9, 1, 0], [4, 6, 0], [0, 0, 10]])
    rows = re.findall(r"<tr>(.*?)</tr>", mistakes(confusion, ["ape", "bee", "<cat>"]))
    assert [re.findall(r">([^<>]+)</t[hd]>", row) for row in rows[1:]] == [
        ["bee", "ape", "4 of 10"],
        ["ape", "bee", "1 of 10"],
    ]
    assert mistakes(torch.eye(3), ["ape", "bee", "cat"]) == ""


@pytest.mark.parametrize("bad", ["", "a photo", "{} and {}", "a photo of " * 12 + "{}"])
def test_a_bad_template_is_said_and_the_last_good_picture_stays(bad):
    shown = panel()
    before = shown.view.png
    shown.controls["template"].value = bad
    assert "The picture still shows “a photo of a {}.”" in shown.view.words
    assert "<b>Not shown.</b>" in panels.shown(shown)
    assert shown.view.png == before
    assert not shown.error
    shown.controls["template"].value = "a {}"
    assert "Not shown" not in panels.shown(shown)
    assert "“a {}”" in shown.view.words


@settings(max_examples=8)
@given(st.text(max_size=12), st.text(max_size=12))
def test_whatever_is_typed_is_shown_or_refused_in_words(typing, before, after):
    for template in (f"{before}{{}}{after}", before):
        typing.controls["template"].value = template
        assert not typing.error
        assert f"“{template}”" in typing.view.words or "still shows" in typing.view.words


def test_words_that_the_clip_never_met_are_named():
    backbone = small_clip("forgetful")
    with torch.no_grad():
        backbone.text.token_embedding.weight[backbone.token_ids("sculpture")] = 0
    shown = try_templates(backbone, small_task(), template="a sculpture of a {}")
    assert "never met: sculpture." in panels.shown(shown)
    shown.controls["template"].value = "a photo of a {}"
    assert "never met" not in panels.shown(shown)


def test_no_class_and_too_many_classes_are_said():
    shown = panel()
    shown.set(classes=())
    assert "choose one to 4" in shown.error
    assert "choose one to 4" in shown.picture.value
    shown.set(classes=NAMES)
    assert not shown.error
    assert "Only the first 4" in shown.view.words


def test_images_are_encoded_once(monkeypatch):
    shown = panel()
    monkeypatch.setattr(ZeroShot, "image_features", lambda *_: pytest.fail("the image tower ran again"))
    shown.controls["template"].value = "a {}"
    assert not shown.error
    features = torch.nn.functional.normalize(torch.randn(540, 24, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert not panel(features=features).error


def test_features_of_other_pictures_are_refused():
    with pytest.raises(ValueError, match="features are of 7 pictures, but colours has 540"):
        panel(features=torch.ones(7, 24))


def test_a_first_template_that_cannot_be_used_is_refused():
    with pytest.raises(ValueError, match="a template holds one"):
        panel(template="no place")


def test_two_panels_share_nothing_and_a_change_gives_one_picture():
    one, two = panel(), panel()
    before, seen = two.picture.value, writes(one)
    one.controls["template"].value = "a {}"
    assert len(seen) == 1
    one.controls["template"].value = "a {}"
    assert len(seen) == 1
    assert two.picture.value == before
    one.controls["template"].value = "a photo of a {}."
    assert one.picture.value == before


def test_pictures_in_files(tmp_path):
    draw = torch.Generator().manual_seed(0)
    for name in ("ant", "owl"):
        (tmp_path / name).mkdir()
        for i in range(12):
            pixels = torch.randint(256, (40, 60, 3), generator=draw).to(torch.uint8).numpy()
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    shown = try_templates(small_clip(), from_folder(tmp_path))
    shown.set(classes=("owl",), number=2)
    assert not shown.error
    assert "owl is" in shown.view.words


def test_every_control_has_a_label():
    shown = panel()
    assert [control.description for control in shown.controls.values()] == [
        "Template", "Pictures of", "Which of each class",
    ]  # fmt: skip

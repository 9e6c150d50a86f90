"""The checks of lessons 08 and 09 on answers of one's own: a map, a method, a folder of pictures, a report."""

from functools import partial

import pytest
import torch
from clips import clip
from photos import album, photo

from vlprompt import checks
from vlprompt.methods import CoOp, LanguageOnly, ZeroShot

POINTS = {(1, 2): (60.0, 55.0), (3, 2): (62.0, 56.5), (9, 2): (64.0, 57.0), (9, 8): (65.0, 52.0)}
SURFACE = {"task": "plants", "guess": (3, 2), "points": POINTS}


def test_a_surface_of_ones_own_passes(capsys):
    assert checks.surface_of_mine(lambda: dict(SURFACE)) == SURFACE
    checks.surface_of_mine(lambda: {**SURFACE, "task": "flags", "guess": [9, 8]})
    assert capsys.readouterr().out == "passed: surface_of_mine\n" * 2


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"task": "cats"}, "there is no task 'cats'"),
        ({"points": {(1, 2): (60, 55)}}, "1 points are too few"),
        ({"points": {(j, 2): (60, 55) for j in range(1, 6)}}, "all points lie on one line"),
        ({"points": {**POINTS, (13, 2): (1, 1)}}, "J=13, M=2 cannot be"),
        ({"points": {**POINTS, (3, 4): (0.6, 120)}}, "needs two per cents"),
        ({"guess": (5, 2)}, "train the point that you guessed"),
    ],
)
def test_a_surface_that_does_not_count(change, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.surface_of_mine(lambda: SURFACE | change)
    with pytest.raises(AssertionError, match="surface_of_mine: return"):
        checks.surface_of_mine(lambda: {"task": "plants"})


def test_a_method_that_keeps_the_contract_passes(capsys):
    backbone = clip(context=32)
    assert checks.method_of_mine(lambda: CoOp, backbone) == 4 * backbone.text_width
    deep = checks.method_of_mine(lambda: partial(LanguageOnly, depth=2), backbone)
    assert deep == 2 * 4 * backbone.text_width
    assert capsys.readouterr().out.count("passed: method_of_mine\n") == 2


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (ZeroShot, "it learns nothing"),
        (lambda backbone, names: torch.nn.Linear(1, 1), "it has no `backbone`"),
        ("CoOp", "return the class itself"),
    ],
)
def test_a_method_that_does_not(make, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.method_of_mine(lambda: make, clip(context=32))


def test_a_method_that_is_not_written_yet():
    def unwritten():
        raise NotImplementedError

    with pytest.raises(AssertionError, match="not written yet"):
        checks.method_of_mine(unwritten, clip(context=32))


REPORT = "\n".join(
    [
        "# Report",
        "## Question",
        "Does one context for all layers do as well as one for each of them?",
        "## Data",
        "Sixteen things of my desk, photographed by myself, split by the day, 16 shots.",
        "## Method",
        "One context of four vectors, put into all twelve layers of the text tower.",
        "## Result",
        "Over five seeds: mine 71.2 [70.1, 72.4] on base classes, zero-shot 66.0, CoOp 70.3 [69.0, 71.5].",
        "## What may be said",
        "On these pictures it gains on base classes against zero-shot, in each of the seeds.",
        "## What may not be said",
        "Whether it would on other things, or on pictures that somebody else takes.",
    ]
)


def test_a_whole_report_passes(capsys):
    checks.report_of_mine(lambda: REPORT)
    checks.report_of_mine(lambda: REPORT.replace("72.4]", "72.4], new 55.1 [-1.2, 57],"))
    assert capsys.readouterr().out == "passed: report_of_mine\n" * 2


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ("## Data", "## The data", "`## Data` is missing"),
        ("photographed by myself", "…", "`## Data` has an open place"),
        ("On these pictures it gains on base classes against zero-shot, in each of the seeds.", "Much.", "too little"),
        ("71.2 [70.1, 72.4]", "71.2", "1 numbers with intervals"),
        ("zero-shot 66.0, ", "", "does not name zero-shot"),
        ("five seeds", "five runs", "over how many seeds"),
    ],
)
def test_a_report_with_a_hole(before, after, hint):
    text = REPORT.replace(before, after)
    if before == "five seeds":
        text = text.replace("in each of the seeds", "in each run")
    with pytest.raises(AssertionError, match=hint):
        checks.report_of_mine(lambda: text)


def test_a_report_that_is_no_text():
    with pytest.raises(AssertionError, match="returns a int, but the text is wanted"):
        checks.report_of_mine(lambda: 3)


def test_a_folder_of_ones_own_passes(tmp_path, capsys):
    album(tmp_path / "pets", {"cat": 20, "dog": 20, "guinea_pig": 18, "frog": 20})
    checks.folder_of_mine(lambda: tmp_path / "pets")
    checks.folder_of_mine(lambda: str(tmp_path / "pets"))
    assert capsys.readouterr().out == "4 classes, 23 test images\npassed: folder_of_mine\n" * 2


@pytest.mark.parametrize(
    ("classes", "hint"),
    [
        ({"cat": 20, "dog": 20, "frog": 20}, "3 classes; base-to-new needs 4"),
        ({"cat": 20, "dog": 20, "frog": 20, "cow": 4}, "fewer than 5 of each"),
        ({"cat": 20, "dog": 20, "frog": 20, "cow": 0}, "the class 'cow' is empty"),
    ],
)
def test_a_folder_that_is_too_small(classes, hint, tmp_path):
    album(tmp_path / "pets", classes)
    with pytest.raises(AssertionError, match=hint):
        checks.folder_of_mine(lambda: tmp_path / "pets")


def test_a_folder_with_a_copy_in_two_classes(tmp_path):
    album(tmp_path, {"cat": 20, "dog": 20, "frog": 20, "cow": 20})
    photo(tmp_path / "cat" / "same.png", seed=5)
    photo(tmp_path / "dog" / "same.png", seed=5)
    with pytest.raises(AssertionError, match="in two classes: keep one copy"):
        checks.folder_of_mine(lambda: tmp_path)
    with pytest.raises(AssertionError, match="there is no folder"):
        checks.folder_of_mine(lambda: tmp_path / "nowhere")

"""The checks of answers of one's own: labels, a template, a plan, a map, a method, a folder of pictures, a report."""

from functools import partial

import pytest
import torch
from clips import clip
from photos import album, photo

from vlprompt import checks
from vlprompt.methods import CoOp, LanguageOnly, ZeroShot
from vlprompt.nlp.read import read_template

# ---- labels of one's own ------------------------------------------------------------------------

TOPICS = {"sport": ["football"], "food": ["a meal", "cooking"]}
MINE = [("She scored.", "sport"), ("The soup was hot.", "food")] * 3
ABOUT = "[X] This is about [Z]."


def looks_for_soup(sentences, template, verbalizer):
    """In place of the language model, with the library's own errors."""
    read_template(template)
    return ["food" if "soup" in text else "sport" for text in sentences]


@pytest.mark.parametrize("topics", [TOPICS, {"football": "sport", "cooking": "food"}])
def test_labels_that_fit_pass_and_the_right_ones_are_counted(topics, capsys):
    pairs = [*MINE, ("We ran.", "food")]
    assert checks.labels_of_mine(lambda: (ABOUT, topics, pairs), looks_for_soup) == 6
    assert capsys.readouterr().out == "right: 6 of 7\npassed: labels_of_mine\n"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (TOPICS, "return three things"),
        ((ABOUT, TOPICS, MINE[:4]), "4 sentences say little"),
        (("This is about [Z].", TOPICS, MINE), r"holds \[X\] once"),
        ((ABOUT, {"sport": ["football"]}, MINE), "two labels or more"),
        ((ABOUT, {"positive": ["good"], "negative": ["bad"]}, MINE), "labels of another kind"),
        ((ABOUT, {"sport": ["football"], "music": ["a song"]}, MINE), "'food' is no label"),
        (None, "returns nothing"),
    ],
)
def test_labels_that_do_not_fit(answer, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.labels_of_mine(lambda: answer, looks_for_soup)


# ---- a template of one's own --------------------------------------------------------------------

NAMES = ["cat", "dog"]


def test_a_template_that_fits_passes_and_its_unknown_words_are_named(capsys):
    backbone = clip()
    table = backbone.text.token_embedding.weight
    before = table.clone()
    try:
        table[backbone.token_ids("photo")] = 0
        assert checks.template_of_mine(lambda: "a photo of a {}.", backbone, NAMES) == ["photo"]
        assert checks.template_of_mine(lambda: "the {}", backbone, NAMES) == []
        assert not checks.knows(backbone, "a photo")
        assert checks.knows(backbone, "a cat")
    finally:
        table.copy_(before)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["words that this CLIP never met: photo", "passed: template_of_mine"]
    assert lines[2] == "words that this CLIP never met: none"


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("a photo of a plant", r"one \{\} for the class name"),
        ("a {} and a {}", r"one \{\} for the class name"),
        ("a photo of a {}" + " which is very green" * 9, "too long"),
        (None, "returns nothing"),
    ],
)
def test_a_template_that_does_not_fit(template, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.template_of_mine(lambda: template, clip(), NAMES)


# ---- a plan and a task of one's own ----------------------------------------------------------------


@pytest.mark.parametrize("plan", [{"depth": 2, "length": 3}, {"length": 1, "depth": 1}])
def test_a_plan_within_the_budget_passes(plan, capsys):
    assert checks.plan_of_mine(lambda: plan, clip(), 200) == plan
    used = plan["depth"] * plan["length"] * 32
    assert capsys.readouterr().out == f"your tokens hold {used} of 200 numbers\npassed: plan_of_mine\n"


@pytest.mark.parametrize(
    ("plan", "hint"),
    [
        ({"depth": 2, "length": 4}, "256 numbers are more than the 200"),
        ({"depth": 3, "length": 1}, "a depth of 3, but there are 2 layers"),
        ({"depth": 0, "length": 1}, "a depth of 0"),
        ({"depth": 1, "length": 0}, "a length of 0"),
        ({"depth": 1.0, "length": 2}, "two whole numbers"),
        ({"depth": 1}, "two whole numbers"),
        (None, "returns nothing"),
    ],
)
def test_a_plan_that_cannot_be(plan, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.plan_of_mine(lambda: plan, clip(), 200)


def test_a_task_that_the_lesson_left_out_passes(capsys):
    assert checks.task_of_mine(lambda: "flags") == "flags"
    assert checks.task_of_mine(lambda: "textures") == "textures"
    assert capsys.readouterr().out == "passed: task_of_mine\n" * 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [("where", "looked at where already"), ("cats", "there is no task 'cats'"), (None, "returns nothing")],
)
def test_a_task_that_does_not_count(name, hint):
    with pytest.raises(AssertionError, match=hint):
        checks.task_of_mine(lambda: name)


# ---- a map, a method, a report and a folder of one's own ---------------------------------------------

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

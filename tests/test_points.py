"""Points: one run by names and numbers, its key, and its rows."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlprompt
from vlprompt.methods import METHODS
from vlprompt.points import COLUMNS, Point, run_point
from vlprompt.recipes import recipe

POINTS = st.builds(
    Point,
    method=st.sampled_from(list(METHODS)),
    task=st.sampled_from(["plants", "flags"]),
    protocol=st.sampled_from(["base-to-new", "few-shot", "domain"]),
    shots=st.integers(1, 64),
    seed=st.integers(0, 9),
    depth=st.none() | st.integers(1, 12),
    length=st.none() | st.integers(1, 16),
    changes=st.sampled_from([(), (("epochs", 2),), (("epochs", 2), ("lr", 0.1))]),
)


@given(POINTS)
def test_a_point_survives_json(point):
    there = json.loads(json.dumps(point.as_dict()))
    assert Point.read(there) == point
    assert Point.read(there).key == point.key


@given(POINTS, POINTS)
def test_keys_tell_points_apart(one, other):
    assert (one.key == other.key) == (one == other)


def test_the_key_is_the_same_in_another_process():
    code = "from vlprompt.points import Point; print(Point('maple', 'plants', changes=(('epochs', 2),)).key)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == Point("maple", "plants", changes=(("epochs", 2),)).key


def test_the_order_of_options_does_not_matter():
    one = Point.read({"method": "coop", "task": "plants", "options": {"position": "end", "class_specific": True}})
    other = Point.read({"method": "coop", "task": "plants", "options": {"class_specific": True, "position": "end"}})
    assert one == other


@pytest.mark.parametrize(
    ("point", "options"),
    [
        (Point("maple", "plants", depth=3, length=2), {"depth": 3, "length": 2}),
        (Point("maple", "plants", length=16), {"length": 16, "init": None}),
        (Point("maple", "plants", protocol="domain"), {"depth": 3}),
        (Point("maple", "plants", protocol="cross-dataset", depth=9), {"depth": 9}),
        (Point("vision-only", "plants", depth=3, length=16), {"vision_depth": 3, "vision_length": 16}),
        (
            Point("independent-vl", "plants", depth=3, length=4),
            {"vision_depth": 3, "text_depth": 3, "vision_length": 4, "text_length": 4},
        ),
        (Point("coop", "plants", options=(("class_specific", True),)), {"class_specific": True}),
    ],
)
def test_what_a_method_is_made_with(point, options):
    assert point.method_options == options
    METHODS[point.method](vlprompt.load("tiny"), ["cat", "dog"], **point.method_options)


@pytest.mark.parametrize(
    ("method", "depth", "length"),
    [("maple", 9, 2), ("vision-only", 12, 8), ("language-only", 12, 4), ("coop", None, 4), ("padding", None, None)],
)
def test_rows_say_the_depth_and_length_that_were_used(method, depth, length):
    point = Point(method, "plants")
    assert (point.used("depth"), point.used("length")) == (depth, length)
    if depth:
        assert replace(point, depth=2, length=3).used("depth") == 2
        assert replace(point, depth=2, length=3).used("length") == 3


def test_plans_of_the_papers():
    real = Point("coop", "dtd", protocol="few-shot", backbone="ViT-B-16", pretrained="random")
    epochs = {shots: replace(real, shots=shots).plan.epochs for shots in (1, 2, 3, 4, 8, 16, 64)}
    assert epochs == {1: 50, 2: 100, 3: 100, 4: 100, 8: 200, 16: 200, 64: 200}
    assert replace(real, task="imagenet").plan.epochs == 50
    maple = Point("maple", "imagenet", protocol="cross-dataset", backbone="ViT-B-16", targets=("dtd",))
    assert maple.plan == recipe("maple-cross-dataset")
    assert maple.method_options["depth"] == 3
    assert Point("maple", "plants").plan == recipe("maple", "tiny")
    assert Point("maple", "plants", changes=(("lr", 0.5),)).plan.lr == 0.5
    head = Point("vpt-deep", "plants", options=(("head", "linear"),))
    assert head.plan == recipe("vpt-linear-head", "tiny")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "mapel"}, "no method is named 'mapel'; nearest: maple"),
        ({"protocol": "base"}, "nearest: base-to-new"),
        ({"task": "plant"}, "nearest: plants"),
        ({"shots": 0}, "shots must be a whole number from 1"),
        ({"seed": -1}, "seed must be"),
        ({"method": "zero-shot", "depth": 3}, "zero-shot takes no depth"),
        ({"options": {"colour": 1}}, "coop takes no colour"),
        ({"changes": {"lr": "fast"}}, "lr is 'fast', but it must be a number"),
        ({"changes": {"rate": 0.1}}, "a recipe has no 'rate'; it has lr"),
        ({"changes": 3}, "changes is 3, but it must be a table"),
        ({"protocol": "cross-dataset"}, "needs targets"),
        ({"protocol": "cross-dataset", "targets": ["plnts"]}, "nearest: plants"),
        ({"sed": 1}, "nearest: seed"),
    ],
)
def test_slips_are_one_sentence_before_any_work(values, message):
    with pytest.raises(ValueError, match=message):
        Point.read({"method": "coop", "task": "plants", **values}).check()


def test_zero_shot_stays_as_it_is_whatever_the_changes():
    assert Point("zero-shot", "plants", changes=(("epochs", 2),)).plan.epochs == 0


def test_rows_of_a_run():
    point = Point("zero-shot", "where", seed=3)
    rows = run_point(point)
    assert [row["split"] for row in rows] == ["base", "new"]
    for row in rows:
        assert tuple(row) == COLUMNS
        assert (row["method"], row["task"], row["seed"], row["depth"]) == ("zero-shot", "where", 3, None)
        assert 0 <= row["accuracy"] <= 100
        assert row["version"] == vlprompt.__version__
        assert row["weights"] == vlprompt.load("tiny").fingerprint
    assert [row["accuracy"] for row in rows] == [row["accuracy"] for row in run_point(point)]


def test_a_head_has_no_row_for_new_classes():
    rows = run_point(Point("linear-probe", "where", changes=(("epochs", 2),)))
    assert [row["split"] for row in rows] == ["base"]

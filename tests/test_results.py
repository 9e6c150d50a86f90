"""The results that come with the package: whole, of these weights and recipes, and found again by training anew."""

import json
from dataclasses import asdict, replace
from random import SystemRandom

import pytest

import vlprompt
from vlprompt.experiments import EXPERIMENTS
from vlprompt.paths import data_file
from vlprompt.points import COLUMNS, Point, run_point
from vlprompt.results import stored
from vlprompt.statistics import mean_interval
from vlprompt.store import as_frame

SHIPPED = sorted(path.stem for path in data_file("results").glob("*.csv"))
SEEDS = {"base-to-new": 5}
RUN = ["method", "task", "shots", "depth", "length", "options", "seed", "split"]
SLACK = 2.0  # points: arithmetic differs between machines, and a test set has 540 images or more


def points_of(name: str) -> list[Point]:
    return EXPERIMENTS[name].points(seeds=range(1, SEEDS.get(name, 3) + 1))


@pytest.mark.parametrize("name", SHIPPED)
def test_stored_results_are_whole(name):
    rows = stored(name)
    assert tuple(rows.columns) == COLUMNS
    assert rows["accuracy"].between(0, 100).all()
    assert set(rows["weights"]) == {vlprompt.load("tiny").fingerprint}
    runs = rows.drop_duplicates(RUN[:-1])
    assert len(runs) == len(points_of(name))


@pytest.mark.parametrize("name", SHIPPED)
def test_stored_results_are_of_the_recipes_of_today(name):
    plans = {point.method: set() for point in points_of(name)}
    for point in points_of(name):
        plans[point.method].add(json.dumps(asdict(point.plan)))
    for method, rows in stored(name).groupby("method"):
        assert set(rows["recipe"]) == plans[method]


def test_the_main_table_is_among_them():
    assert "base-to-new" in SHIPPED


def test_an_unknown_name_lists_the_others():
    with pytest.raises(ValueError, match="there are no stored results named 'depth', but these: base-to-new"):
        stored("depth")


@pytest.mark.slow
def test_a_point_trained_anew_lies_in_its_interval():
    """A cell of a table, chosen at random at each run: all of its seeds are trained again."""
    random = SystemRandom()
    name = random.choice(SHIPPED)
    chosen = random.choice(points_of(name))
    cell = [replace(chosen, seed=seed) for seed in range(1, SEEDS.get(name, 3) + 1)]
    anew = as_frame([row for point in cell for row in run_point(point)])
    both = stored(name).merge(anew, on=RUN, suffixes=(" stored", " anew"))
    assert len(both) == len(anew), f"not all of {chosen} is stored"
    for split, runs in both.groupby("split"):
        found = mean_interval(runs["accuracy stored"])
        low, high = (found.mean, found.mean) if found.low is None else (found.low, found.high)
        assert low - SLACK <= runs["accuracy anew"].mean() <= high + SLACK, f"{split} of {chosen}"

"""Means, intervals and comparisons: by hand, by what must always hold, and by what they promise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidy import frame

from vlprompt.statistics import (
    ALL,
    BASE,
    HARMONIC,
    NEW,
    Interval,
    Measure,
    compare,
    harmonic,
    holm,
    interval,
    mean_interval,
    measure,
)

per_cent = st.floats(0, 100).map(lambda value: round(value, 2))


def runs_of(*tasks: list[float]) -> pd.DataFrame:
    """Accuracies of one method by task, seeds from 1."""
    return frame({f"task {t}": {s: {"all": v} for s, v in enumerate(values, 1)} for t, values in enumerate(tasks)})


def test_one_value_has_a_mean_and_no_ends():
    assert mean_interval([64.25]) == Interval(64.25)
    assert str(mean_interval([64.25])) == "64.2"


def test_alike_values_have_an_interval_of_no_width():
    assert mean_interval([50, 50, 50]) == Interval(50, 50, 50)
    assert str(mean_interval([50, 50, 50])) == "50.0"


def test_the_ends_of_two_values_are_the_values():
    assert mean_interval([60, 64]) == Interval(62, 60, 64)
    assert str(mean_interval([60, 64])) == "62.0 [60.0, 64.0]"


@pytest.mark.parametrize("values", [[], [1, float("nan")], [float("inf")]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="have no mean"):
        mean_interval(values)


@settings(max_examples=20)
@given(st.lists(per_cent, min_size=2, max_size=6), st.floats(-50, 50))
def test_an_interval_holds_the_mean_and_moves_with_the_values(values, by):
    found, moved = mean_interval(values), mean_interval([v + by for v in values])
    assert min(values) - 1e-9 <= found.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.high <= max(values) + 1e-9
    assert (moved.low, moved.high) == pytest.approx((found.low + by, found.high + by), abs=1e-9)


def test_the_same_rows_give_the_same_ends_and_a_higher_level_wider_ones():
    values = [61.2, 64.0, 58.1, 60.9, 66.3]
    assert mean_interval(values) == mean_interval(values)
    wide, narrow = mean_interval(values, level=0.99), mean_interval(values, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_width_over_tasks_is_that_of_theory():
    """The mean of T means of n seeds has the standard error sqrt(sum of variances / n) / T, with n - 1 in variances."""
    draw = np.random.default_rng(3)
    runs = [50 + 2 * draw.normal(size=(3, 1)) for _ in range(11)]
    error = np.sqrt(sum(r.var(ddof=1) / 3 for r in runs)) / 11
    found = interval(runs)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)


@pytest.mark.slow
def test_intervals_over_tasks_cover_what_they_say():
    draw = np.random.default_rng(4)
    held = 0
    for k in range(200):
        runs = [(60, 50) + 2 * draw.normal(size=(3, 2)) for _ in range(11)]
        found = interval(runs, harmonic, seed=k)
        held += found.low <= 6000 / 110 <= found.high
    assert 0.90 <= held / 200 <= 0.985


def test_tasks_weigh_the_same_however_many_seeds_they_have():
    assert measure(runs_of([10, 10, 10, 10], [40, 60]), ALL).mean == 30


def test_a_task_with_one_seed_leaves_no_interval():
    assert measure(runs_of([10, 12], [40]), ALL) == Interval(25.5)


def test_h_is_that_of_the_means():
    rows = frame({"a": {1: {"base": 60, "new": 40}}, "b": {1: {"base": 80, "new": 20}}})
    assert measure(rows, BASE).mean == 70
    assert measure(rows, NEW).mean == 30
    assert measure(rows, HARMONIC).mean == pytest.approx(42)  # the mean of 48 and 32 would be 40


@given(per_cent, per_cent)
def test_h_lies_between_base_and_new(base, new):
    h = harmonic(np.array([base, new]))
    assert min(base, new) - 1e-9 <= h <= max(base, new) + 1e-9
    assert h == pytest.approx(harmonic(np.array([new, base])))


def test_h_of_nothing_right_is_nought():
    assert harmonic(np.zeros((2, 2))).tolist() == [0, 0]


def test_the_accuracies_of_a_run_stay_together():
    """Where base and new make up for each other in each run, their mean cannot vary over seeds."""
    rows = frame({t: {s: {"base": 50 + s, "new": 50 - s} for s in (1, 2, 5)} for t in "ab"})
    both = measure(rows, Measure("both", ("base", "new")))
    assert (both.low, both.high) == pytest.approx((50, 50))
    assert measure(rows, BASE).high - measure(rows, BASE).low > 1


def test_a_split_that_no_task_has_is_none_and_one_that_some_have_is_their_mean():
    rows = frame({"a": {1: {"x": 10, "y": 30}}, "b": {1: {"x": 20}}})
    assert measure(rows, NEW) is None
    assert measure(rows, Measure("y", ("y",))).mean == 30
    assert measure(rows, Measure("x and y", ("x", "y"))).mean == 22.5
    assert measure(rows, Measure("y and z", ("y", "z"))) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: pd.concat([rows, rows]), "two accuracies for task 0, seed 1, all"),
        (lambda rows: rows.drop(columns="seed"), "no column named seed"),
        (lambda rows: rows.assign(accuracy=float("nan")), "seed 1, all is nan"),
        (lambda rows: pd.concat([rows, rows.head(1).assign(split="base")]), "seed 2, lacks the accuracy base"),
    ],
)
def test_rows_that_do_not_fit_are_named(change, says):
    with pytest.raises(ValueError, match=says):
        measure(change(runs_of([50, 60])), Measure("any", ("all", "base")))


def test_a_comparison_by_hand():
    found = compare(runs_of([53, 63], [72], [41]), runs_of([50, 60], [70], [40]), ALL)
    assert found.difference.mean == pytest.approx(2)  # of 3, 2 and 1
    assert found.p == 2 / 8  # all three tasks on one side, of the eight ways: this one and its mirror
    assert (found.tasks, found.runs) == (3, 4)


def test_eleven_tasks_on_one_side_are_hardly_chance():
    better, worse = runs_of(*([51.0 + t] for t in range(11))), runs_of(*([50.0 + t] for t in range(11)))
    assert compare(better, worse, ALL).p == pytest.approx(2 / 2**11)
    assert compare(worse, worse, ALL).p == 1


def test_a_comparison_turned_round_has_the_other_sign():
    draw = np.random.default_rng(0)
    one, other = (runs_of(*(draw.uniform(40, 60, size=3) for _ in range(5))) for _ in range(2))
    there, back = compare(one, other, ALL), compare(other, one, ALL)
    assert there.difference.mean == pytest.approx(-back.difference.mean)
    assert there.difference.low == pytest.approx(-back.difference.high, abs=0.1)
    assert there.p == pytest.approx(back.p)


def test_what_both_share_with_a_seed_does_not_blur_their_difference():
    hard = np.array([-9.0, 0.0, 9.0])  # a seed with hard images is hard for both
    one, other = runs_of(60 + hard, 50 + hard), runs_of(58 + hard, 48 + hard)
    found = compare(one, other, ALL).difference
    assert (found.low, found.high) == pytest.approx((2, 2))
    assert measure(one, ALL).high - measure(one, ALL).low > 5


def test_differences_of_h_are_between_the_methods_means():
    one = frame({t: {1: {"base": 60 + i, "new": 60 - i}} for i, t in enumerate("abc")})
    other = frame({t: {1: {"base": 80.0, "new": 20.0}} for t in "abc"})
    found = compare(one, other, HARMONIC)
    assert found.difference.mean == pytest.approx(measure(one, HARMONIC).mean - measure(other, HARMONIC).mean)
    assert found.p == 0.25


def test_only_what_both_have_run_is_compared():
    one, other = frame({"a": {1: {"all": 9}, 2: {"all": 50}}}), frame({"a": {2: {"all": 40}}, "b": {2: {"all": 1}}})
    found = compare(one, other, ALL)
    assert (found.difference.mean, found.tasks, found.runs, found.p) == (10, 1, 1, None)


def test_methods_with_nothing_in_common_cannot_be_compared():
    with pytest.raises(ValueError, match="no task and seed in common"):
        compare(frame({"a": {1: {"all": 9}}}), frame({"a": {2: {"all": 9}}, "b": {1: {"all": 9}}}), ALL)


def test_a_comparison_of_what_one_lacks_is_none():
    assert compare(frame({"a": {1: {"base": 9}}}), frame({"a": {1: {"base": 9, "new": 3}}}), HARMONIC) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_makes_p_larger_and_keeps_their_order(p):
    adjusted = holm(p)
    assert all(before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    assert [adjusted[i] for i in np.argsort(p)] == sorted(adjusted)


def test_holm_takes_probabilities_only():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.2])

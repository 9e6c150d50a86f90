"""What a panel reports of a training: the time that is left, and the loss as a curve."""

import time

import pytest

from vlprompt.points import Point
from vlprompt.widgets.runner import Wish
from vlprompt.widgets.training import duration, loss_curve, running_mean


def test_the_time_left_is_what_the_rest_takes_at_the_pace_of_now():
    wish = Wish((Point("maple", "where"),) * 2, None, None)
    assert wish.seconds_left() is None
    wish.first, wish.done, wish.step, wish.steps = (time.monotonic() - 30, 0.25), 1, 0, 10
    assert wish.seconds_left() == pytest.approx(60, rel=0.05)  # a quarter took 30 s, a half is left
    assert duration(59.6) == "60 s"
    assert duration(600) == "10 min"


def test_the_thick_line_is_the_mean_of_the_last_steps():
    assert running_mean([3.0, 1.0, *[2.0] * 20])[:3] == [3.0, 2.0, 2.0]
    assert running_mean([100.0, *[2.0] * 10])[-1] == 2.0


def test_the_curve_shows_all_runs_and_no_more_points_than_can_be_seen():
    wish = Wish((Point("maple", "where"),) * 3, None, None, losses=[[2.0, 1.0], [2.0] * 5000, []])
    drawn = loss_curve(wish)
    assert drawn.count("<polyline") == 3  # means of both that were begun, and the steps of the last
    assert max(len(line.split("'")[0].split()) for line in drawn.split("points='")[1:]) <= 300
    assert loss_curve(Wish((), None, None)) == ""

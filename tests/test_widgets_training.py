"""Training from a panel: what it gives, how it stops, and what it says when it goes wrong. Events, no waiting times."""

import threading

import pytest
from panels import buttons, press, shown
from tidy import row

from vlprompt.points import Point, run_point
from vlprompt.store import Store, as_frame
from vlprompt.widgets import explore
from vlprompt.widgets.runner import WORKER, Worker
from vlprompt.widgets.training import Training

LONG = 120  # seconds; nothing takes as long unless it hangs


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("vlprompt.widgets.explorer.cache_folder", lambda: tmp_path)
    yield tmp_path
    WORKER.end()


@pytest.fixture
def weights():
    from vlprompt.points import open_backbone

    return open_backbone("tiny", None, None).fingerprint


class Gate:
    """A trainer of three steps: does the first, says so, and goes on when it is let."""

    def __init__(self, weights):
        self.weights, self.begun, self.go, self.ran = weights, threading.Semaphore(0), threading.Semaphore(0), []

    def __call__(self, point, device=None, watch=None):
        self.ran.append(point)
        watch(1, 3, 2.0)
        self.begun.release()
        assert self.go.acquire(timeout=LONG)
        for step in (2, 3):
            watch(step, 3, 1 / step)
        return rows_of(point, self.weights)


def rows_of(point, weights, base=70.0, new=60.0):
    return [row(point, split, value, weights=weights) for split, value in (("base", base), ("new", new))]


def panel_with(run, **more):
    return explore(as_frame([]), **{"tasks": ("where",), "seeds": (1,), "run": run} | more)


def begin(panel, gate):
    """Press the button, and wait until the first step is done."""
    press(panel, "Train here")
    assert gate.begun.acquire(timeout=LONG)


def finish(gate=None):
    if gate:
        gate.go.release(100)
    assert WORKER.wait(LONG)


# What it gives


def test_what_is_trained_in_the_panel_is_what_run_point_gives_to_the_digit(cache):
    panel = panel_with(run_point, shots=1, changes=(("epochs", 1), ("warmup", 0)))
    panel.set(depth=2, length=1)
    assert "no result yet" in panel.view.words
    press(panel, "Train here")
    finish()
    assert "Done: 1 run, kept on this machine" in shown(panel)
    point = Point("maple", "where", shots=1, depth=2, length=1, changes=(("epochs", 1), ("warmup", 0)))
    base, new = (r["accuracy"] for r in run_point(point))
    stored = Store(cache / "explorer").rows(point)
    assert [r["accuracy"] for r in stored] == [base, new]
    assert f"seed 1 alone, trained here: base {base:.1f} %, new {new:.1f} %" in panel.view.words


def test_the_result_lands_on_the_surface_and_the_others_stay(weights):
    gate = Gate(weights)
    panel = panel_with(gate, seeds=(1, 2))
    begin(panel, gate)
    before = panel.picture.value
    assert "Run 1 of 2 (where, J=9, M=2, seed 1): step 1 of 3, loss 2.00" in shown(panel)
    assert "<svg role='img' aria-label='Loss of run 1: 2.00 at its first step, 2.00 now.'" in shown(panel)
    finish(gate)
    assert [point.seed for point in gate.ran] == [1, 2]
    assert panel.picture.value != before
    assert "mean of seeds 1 and 2, trained here: base 70.0 %, new 60.0 %" in panel.view.words
    assert "Done: 2 runs" in shown(panel)
    assert buttons(panel)["Stop"].disabled
    panel.controls["depth"].value = 3
    assert "no result yet" in panel.view.words


def test_all_tasks_are_trained_where_their_mean_is_shown(weights):
    gate = Gate(weights)
    panel = panel_with(gate, tasks=("where", "how-many"))
    panel.controls["task"].value = "all"
    begin(panel, gate)
    finish(gate)
    assert [point.task for point in gate.ran] == ["where", "how-many"]


# Stop, and the last wish


def test_stop_ends_it_at_the_next_step_and_nothing_lands(weights, cache):
    gate = Gate(weights)
    panel = panel_with(gate)
    assert buttons(panel)["Stop"].disabled
    begin(panel, gate)
    press(panel, "Stop")
    assert "Stopping after this step." in shown(panel) or "Stopped" in shown(panel)
    finish(gate)
    assert "Stopped after 0 of 1 run." in shown(panel)
    assert "no result yet" in panel.view.words
    assert not list(cache.rglob("*.json"))
    press(panel, "Train here")  # and it can begin anew
    finish()
    assert "trained here" in panel.view.words


def test_the_last_wish_wins_and_those_between_never_begin(weights):
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    for depth in (2, 3, 4):
        panel.controls["depth"].value = depth
        press(panel, "Train here")
    finish(gate)
    assert [point.depth for point in gate.ran] == [9, 4]
    assert "J = 4, M = 2, seed 1 alone, trained here" in panel.view.words
    panel.controls["depth"].value = 9
    assert "no result yet" in panel.view.words


def test_pressing_again_for_the_same_point_changes_nothing(weights):
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    press(panel, "Train here")
    press(panel, "Train here")
    finish(gate)
    assert len(gate.ran) == 1


def test_another_panel_s_wish_stops_this_one_and_says_so(weights):
    gate = Gate(weights)
    one, two = panel_with(gate), panel_with(gate)
    two.controls["depth"].value = 2
    begin(one, gate)
    press(two, "Train here")
    finish(gate)
    assert "Stopped after 0 of 1 run: another training was begun." in shown(one)
    assert "Done: 1 run" in shown(two)
    one.controls["depth"].value = 2  # what the other has trained is there too
    assert "trained here" in one.view.words


# It goes wrong


def test_a_failed_training_is_shown_in_the_panel(weights):
    def fails(point, device=None, watch=None):
        watch(1, 3, float("nan"))
        raise FloatingPointError("the loss is <nan>")

    panel = panel_with(fails)
    press(panel, "Train here")
    finish()
    assert "role='alert'" in shown(panel)
    said = "<b>The training failed</b> in run 1 of 1 (where, J=9, M=2, seed 1): FloatingPointError: the loss is &lt;nan"
    assert said in shown(panel)
    assert "Traceback" in shown(panel)
    assert buttons(panel)["Stop"].disabled
    assert not panel.error  # the surface is still there


def test_a_result_that_cannot_be_written_is_shown_with_the_reason(weights, cache, monkeypatch):
    def full(self, point, rows):
        raise OSError("the disk is full")

    monkeypatch.setattr(Store, "keep", full)
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    finish(gate)
    assert "OSError: the disk is full" in shown(panel)
    panel.update()
    assert "trained here" in panel.view.words


def test_a_damaged_file_is_said_and_hinders_nothing(weights, cache):
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    finish(gate)
    file = next(cache.rglob("*.json"))
    file.write_text(file.read_text().replace("70.0", "99.0"))
    again = panel_with(gate)
    assert f"{file} is damaged" in again.view.words
    assert "no result yet" in again.view.words


# Cells that are run again, kernels that start again


def test_a_restart_finds_what_was_trained(weights):
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    finish(gate)
    again = panel_with(gate)
    assert again.view.words == panel.view.words
    assert "trained here" in again.view.words
    assert "trained here" not in panel_with(gate, shots=4).view.words  # another question


def test_a_cell_that_is_run_again_shows_the_training_that_goes_on_and_can_stop_it(weights):
    gate = Gate(weights)
    panel = panel_with(gate)
    begin(panel, gate)
    again, other = panel_with(gate), panel_with(gate, shots=4)
    assert "step 1 of 3" in shown(again)
    assert "step 1 of 3" not in shown(other)
    press(again, "Stop")
    finish(gate)
    assert "Stopped after 0 of 1 run." in shown(again)
    assert "Stopped after 0 of 1 run." in shown(panel)


def test_a_cell_that_is_run_again_between_two_seeds_has_the_first_and_gets_the_second(weights):
    gate = Gate(weights)
    panel = panel_with(gate, seeds=(1, 2))
    begin(panel, gate)
    gate.go.release()
    assert gate.begun.acquire(timeout=LONG)  # the second seed's first step
    again = panel_with(gate, seeds=(1, 2))
    assert "Run 2 of 2" in shown(again)
    assert "seed 1 alone, trained here" in again.view.words
    finish(gate)
    assert "mean of seeds 1 and 2, trained here" in again.view.words
    assert "Done: 2 runs" in shown(again)


# The device, and the grid around a point


def test_on_a_cpu_the_grid_is_not_offered_and_the_panel_says_why(weights):
    panel = panel_with(Gate(weights), device="cpu")
    assert "Train the grid around" not in buttons(panel)
    assert "Trains on the CPU; on a GPU, the grid around" in shown(panel)


def test_the_grid_around_is_what_is_missing_there_the_nearest_first(weights):
    from vlprompt.points import open_backbone
    from vlprompt.widgets.explorer import Explorer
    from vlprompt.widgets.known import Known

    known = Known(Point("maple", "where"), weights, Store("nowhere"))
    known.add(as_frame(rows_of(Point("maple", "where", depth=1, length=1), weights)))
    explorer = Explorer(known, open_backbone("tiny", None, None), ("where",), tuple(range(1, 13)), (1, 2, 4))
    around = explorer.around("maple", "where", 1, 1, (1,))
    assert [(p.depth, p.length) for p in around] == [(1, 2), (2, 1), (2, 2)]
    around = explorer.around("maple", "where", 12, 2, (1, 2))
    assert [(p.depth, p.length, p.seed) for p in around[:2]] == [(12, 2, 1), (12, 2, 2)]
    assert len(around) == 2 * 6


def test_where_the_grid_is_offered_its_button_trains_it():
    asked, nothing = [Point("maple", "where", depth=j, length=1) for j in (1, 2)], []
    for points, said in ((asked, "Done: 2 runs, shown above."), (nothing, "All points around this one have results.")):
        training = Training(
            list, lambda p, watch: watch(1, 1, 0.5), lambda p, rows: None, lambda: None,
            device="", around=lambda points=points: points, worker=(worker := Worker()), kept="shown above",
        )  # fmt: skip
        training.grid[0].click()
        assert worker.wait(LONG)
        assert said in training.status.value

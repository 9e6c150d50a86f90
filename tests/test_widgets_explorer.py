"""The explorer of depth and length and the drawing beside it: controls are set, and what is shown is read."""

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from panels import buttons, parts, shown
from tidy import rows

from vlprompt.experiments import depth_length
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.store import as_frame
from vlprompt.widgets import costs, explore, where_prompts_go
from vlprompt.widgets.known import MEASURES, Runs
from vlprompt.widgets.surface import picture

TASKS = ("where", "how-many")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("vlprompt.widgets.explorer.cache_folder", lambda: tmp_path)


@pytest.fixture(scope="module")
def clip():
    return open_backbone("tiny", None, None)


def rule(point: Point, split: str) -> float:
    """Depth helps base classes, length harms new ones, seeds differ by a point, tasks by ten."""
    base = 50 + point.used("depth")
    return (base if split == "base" else 60 - point.used("length")) + point.seed + 10 * TASKS.index(point.task)


@pytest.fixture(scope="module")
def table(clip):
    made = rows(depth_length.points(TASKS), rule)
    return made.assign(weights=clip.fingerprint)


def harmonic(base, new):
    return 2 * base * new / (base + new)


def test_it_says_the_numbers_of_the_point_that_the_controls_name(table):
    panel = explore(table, tasks=TASKS)
    panel.set(task="where", depth=5, length=4, seeds=(3,))
    assert "J = 5, M = 4, seed 3 alone: base 58.0 %, new 59.0 %, H 58.5 %." in panel.view.words
    panel.controls["seeds"].value = (1, 2, 3)
    base, new = 50 + 5 + 2, 60 - 4 + 2
    assert f"mean of seeds 1, 2 and 3: base {base:.1f} %, new {new:.1f} %, H {harmonic(base, new):.1f} %" in shown(
        panel
    )
    panel.controls["task"].value = "all"
    assert (
        f"Mean of 2 tasks, both towers, coupled (MaPLe), J = 5, M = 4, mean of seeds 1, 2 and 3: base {base + 5:.1f}"
        in (panel.view.words)
    )
    panel.set(measure="new", depth=12)
    assert f"The best new here is {60 - 1 + 2 + 5:.1f} %" in panel.view.words


def test_every_change_of_a_control_changes_the_picture(table):
    panel = explore(table, tasks=TASKS)
    for name, value in {"depth": 3, "length": 8, "measure": "base", "seeds": (2,), "task": "how-many"}.items():
        before = panel.picture.value
        panel.controls[name].value = value
        assert panel.picture.value != before, name
    panel.controls["method"].value = "vision-only"
    assert "image tower (vision-only)" in panel.view.words


def test_the_surface_and_the_curves_are_those_of_the_runs():
    runs = {(j, m): Runs((1, 2), np.array([[60.0 + j, 50.0], [62.0 + j, 54.0 - m]])) for j in (1, 2) for m in (1, 4)}
    figure, data = picture(runs, (2, 4), "H", (1, 2, 3), (1, 2, 4), "two by two")
    assert data["surface"] == {(j, m): harmonic(61 + j, 52 - m / 2) for j in (1, 2) for m in (1, 4)}
    new = data["length"]["new"]
    assert {m: (found.mean, found.low, found.high) for m, found in new.items()} == {1: (51.5, 50, 53), 4: (50, 50, 50)}
    assert list(data["depth"]["base"]) == [1, 2]
    depth, length = figure.axes
    assert [int(t.get_text()) for t in depth.get_xticklabels()] == [1, 2, 3]  # the missing depth has its place
    assert depth.get_ylim() == length.get_ylim()


def test_the_chosen_cell_is_framed_on_top_of_the_surface():
    runs = {(j, m): Runs((1,), np.array([[60.0 + j, 50.0 - m]])) for j in (1, 2) for m in (1, 4)}
    pixels = []
    for place in ((1, 1), (2, 4)):
        figure, _ = picture(runs, place, "H", (1, 2), (1, 4), "")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels.append(np.array(canvas.buffer_rgba())[:, :340, :3].astype(int))
    black = [(p.sum(axis=2) < 60) for p in pixels]
    # What is dark in one picture alone are the sides of its frame that lie inside: the axes are dark in both.
    only = [here & ~there for here, there in (black, black[::-1])]
    rows, columns = zip(*(np.argwhere(each).mean(axis=0) for each in only), strict=True)
    assert rows[0] > rows[1] + 100
    assert columns[0] < columns[1] - 30


def test_a_single_seed_has_no_band():
    found = Runs((1,), np.array([[60.0, 50.0]])).measure(MEASURES["H"])
    assert (found.mean, found.low, found.high) == (pytest.approx(harmonic(60, 50)), None, None)


def test_it_says_where_more_than_the_length_differs(table):
    panel = explore(table, tasks=TASKS)
    assert "From M = 8 on, contexts start from random vectors" in panel.view.words
    panel.controls["method"].value = "vision-only"
    assert "random vectors" not in panel.view.words


def test_what_is_missing_is_hatched_and_said(table):
    panel = explore(table, tasks=TASKS)
    panel.set(method="vision-only", depth=3, length=2)
    assert "J = 3, M = 2: no result yet. The nearest is at J = 3, M = 8." in panel.view.words
    assert "44 of 60 places have no result and are hatched." in panel.view.words
    panel.set(depth=12, length=8)
    assert "no result yet" not in panel.view.words


def test_a_run_counts_only_if_all_tasks_have_it(table):
    gone = (table["task"] == "where") & (table["depth"] == 9) & (table["length"] == 2) & (table["seed"] == 2)
    panel = explore(table[~gone], tasks=TASKS)
    panel.set(task="all", depth=9, length=2)
    assert "mean of seeds 1 and 3" in panel.view.words
    panel.controls["task"].value = "how-many"
    assert "mean of seeds 1, 2 and 3" in panel.view.words


def test_lengths_that_are_not_asked_for_are_not_counted(table):
    panel = explore(table, tasks=TASKS, lengths=(2, 4))
    panel.set(depth=3, measure="new")
    assert "have no result" not in panel.view.words
    assert f"The best new here is {60 - 2 + 2:.1f} %" in panel.view.words


def test_without_any_rows_it_says_how_they_are_made(monkeypatch):
    panel = explore(as_frame([]), tasks=TASKS)
    assert not panel.error
    assert "There are no stored results" in shown(panel)
    assert "vlprompt experiment depth-length" in panel.view.words
    assert "Train here" in buttons(panel)

    def none(name):
        raise ValueError("there are no stored results named 'depth-length'")

    monkeypatch.setattr("vlprompt.widgets.explorer.stored", none)
    assert explore(tasks=TASKS).view.words == panel.view.words


def test_the_command_that_it_names_is_one(clip):
    from typer.testing import CliRunner

    from vlprompt.cli import app
    from vlprompt.widgets.explorer import COMMAND

    program, *arguments = COMMAND.split()
    ran = CliRunner().invoke(app, [*arguments, "--tasks", "no-such-task"])
    assert program == "vlprompt"
    assert "no-such-task" in ran.output  # it stumbles over this alone


def test_rows_that_cannot_be_compared_are_left_out_and_counted(table):
    panel = explore(table.assign(weights="another clip"), tasks=TASKS)
    assert f"{len(table)} rows of other weights, recipes or shots are left out." in panel.view.words
    assert "no result yet" in panel.view.words
    assert "are left out" not in explore(table, tasks=TASKS).view.words
    assert "are left out" in explore(table, tasks=TASKS, shots=4).view.words


def test_two_on_a_page_share_nothing(table):
    one, two = explore(table, tasks=TASKS), explore(table, tasks=TASKS)
    before = two.picture.value
    one.set(depth=2, method="language-only")
    assert two.picture.value == before
    assert not {part.model_id for part in parts(one.box)} & {part.model_id for part in parts(two.box)}


def test_a_slip_is_said_before_any_work(table):
    with pytest.raises(ValueError, match="nearest: where"):
        explore(table, tasks=("wher",))


@pytest.mark.parametrize("make", [lambda table: explore(table, tasks=TASKS), lambda table: where_prompts_go()])
def test_controls_have_names_and_wait_for_the_release(table, make):
    panel = make(table)
    for name, control in panel.controls.items():
        assert control.description, name
        assert control.tooltip, name
        assert getattr(control, "continuous_update", False) is False, name
    for button in buttons(panel).values():
        assert button.tooltip
    still, metadata = panel._repr_mimebundle_()
    assert still["image/png"]
    assert metadata["image/png"]["alt"] == panel.view.words


def test_the_costs_are_shown_and_follow(clip):
    panel = explore(as_frame([]), tasks=TASKS)
    panel.set(depth=9, length=2)
    assert f"{9 * 2 * 96 + 9 * 97 * 160:,}" in shown(panel)
    assert "9 × (96 + 1) × 160" in shown(panel)
    names = tuple(open_task("where").base().classnames)
    needed = sum(costs.step_flops(Point("maple", "where", depth=9, length=2), clip, names)) / 1e9
    assert f"A training step of 16 images needs at least {needed:.2f} GFLOPs" in panel.view.below
    panel.controls["depth"].value = 1
    assert f"{2 * 96 + 97 * 160:,}" in shown(panel)
    panel.controls["method"].value = "language-only"
    assert "image features are kept" in panel.view.below


def test_beside_the_explorer_it_has_the_same_controls(table):
    panel = explore(table, tasks=TASKS)
    beside = where_prompts_go(panel)
    panel.controls["depth"].value = 4
    assert "each of layers 1 to 4" in beside.view.words
    beside.controls["length"].value = 16
    assert "J = 4, M = 16" in panel.view.words


def test_a_clip_of_fewer_layers_has_fewer_depths(clip):
    from clips import clip as small

    from vlprompt.widgets.explorer import depths_of

    little = small()
    assert depths_of(little) == tuple(range(1, min(little.text_layers, little.vision_layers) + 1))
    assert depths_of(clip) == depth_length.DEPTHS
    assert isinstance(where_prompts_go().controls["depth"], widgets.IntSlider)

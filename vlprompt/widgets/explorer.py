"""The explorer of depth and length: a surface of stored results, and the real training of a point on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import ipywidgets as widgets
import pandas as pd

from vlprompt.backbone import Backbone
from vlprompt.experiments.common import ABLATION_TASKS
from vlprompt.experiments.depth_length import DEPTHS, LENGTHS
from vlprompt.paths import cache_folder
from vlprompt.points import Point, open_backbone, open_task, run_point
from vlprompt.results import stored
from vlprompt.store import Store, as_frame
from vlprompt.sweep import on_one_thread
from vlprompt.train import Watch
from vlprompt.widgets import controls, costs
from vlprompt.widgets.common import Panel, View
from vlprompt.widgets.known import MEASURES, Known, Place, Runs
from vlprompt.widgets.surface import picture
from vlprompt.widgets.training import Training

COMMAND = "vlprompt experiment depth-length --table depth-length.csv"
EVERY = "all"  # the choice of all tasks


def explore(
    rows: pd.DataFrame | None = None,
    *,
    tasks: Sequence[str] = ABLATION_TASKS,
    seeds: Sequence[int] = (1, 2, 3),
    lengths: Sequence[int] = LENGTHS,
    backbone: str = "tiny",
    device: str | None = None,
    run: Callable[..., list[dict]] = run_point,
    **every,
) -> Panel:
    """A panel on depth and length: what they do to base and new classes, what they cost, and a button that trains.

    `rows` are tidy rows of the experiment (by default those that come with the package); where there are none, the
    panel says so and how they are made. `every` goes into each point: `shots`, `changes` of the recipe, `pretrained`.
    What is trained lies in the cache and is found again after a restart. `device`: the GPU if there is one. `run` is
    what runs a point. ValueError for an unknown task or backbone. Khattak et al. 2023, "MaPLe", section 4.5.
    """
    like = Point("maple", tasks[0], backbone=backbone, **every)
    for task in tasks:
        replace(like, task=task).check()
    clip = open_backbone(backbone, like.pretrained, device)
    known = Known(like, clip.fingerprint, Store(cache_folder() / "explorer"))
    known.add(stored_rows() if rows is None else rows)
    explorer = Explorer(known, clip, tuple(tasks), depths_of(clip), tuple(lengths))
    choose = explorer.controls(tuple(seeds))
    work = partial(train, run, device)
    training = Training(
        lambda: explorer.points(**values(choose)), work, known.keep, lambda: panel.update(),
        around=(lambda: explorer.around(**values(choose))) if clip.device.type == "cuda" else None,
        device=on_device(clip),
    )  # fmt: skip
    panel = Panel("Depth and length of prompts", choose, explorer.draw, extra=[training.box])
    training.resume(explorer.has)
    return panel


@dataclass(frozen=True)
class Explorer:
    """What the panel knows, and what it makes of the values of its controls."""

    known: Known
    clip: Backbone
    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    lengths: tuple[int, ...]

    def controls(self, seeds: tuple[int, ...]) -> dict[str, widgets.ValueWidget]:
        """The panel's controls by name."""
        tasks = {task: task for task in self.tasks} | ({"mean of all": EVERY} if len(self.tasks) > 1 else {})
        each = {f"{seed} alone": (seed,) for seed in seeds} if len(seeds) > 1 else {}
        return {
            "method": controls.branch(),
            "task": controls.choice("Task", tasks, "What the images show"),
            "depth": controls.depth(max(self.depths)),
            "length": controls.length(self.lengths),
            "seeds": controls.choice("Seeds", {listed(seeds): seeds, **each}, "Whose mean is shown and trained"),
            "measure": controls.choice("Surface shows", {words: name for name, words in SHOWN.items()}, TIP, "H"),
        }

    def points(self, method: str, task: str, depth: int, length: int, seeds: Sequence[int], **_) -> list[Point]:
        """What is trained at a place: a point for each seed and task."""
        chosen = {"method": method, "depth": depth, "length": length}
        return [replace(self.known.like, task=t, seed=s, **chosen) for s in seeds for t in self.among(task)]

    def around(self, method: str, task: str, depth: int, length: int, seeds: Sequence[int], **_) -> list[Point]:
        """The points that have no result, at a place and at the eight around it, the nearest first."""
        row, column = self.depths.index(depth), self.lengths.index(length)
        near = sorted((abs(i) + abs(j), i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))
        places = [
            (self.depths[row + i], self.lengths[column + j])
            for _, i, j in near
            if 0 <= row + i < len(self.depths) and 0 <= column + j < len(self.lengths)
        ]
        points = [point for j, m in places for point in self.points(method, task, j, m, seeds)]
        return [p for p in points if not self.known.runs(p.method, [p.task], [p.seed]).get((p.depth, p.length))]

    def has(self, point: Point) -> bool:
        """Whether a point is one of this panel's."""
        like = replace(point, **{part: getattr(self.known.like, part) for part in ("method", "task", "seed")})
        return point.task in self.tasks and replace(like, depth=None, length=None) == self.known.like

    def among(self, task: str) -> tuple[str, ...]:
        """The tasks that a choice stands for."""
        return self.tasks if task == EVERY else (task,)

    def draw(self, method: str, task: str, depth: int, length: int, seeds: tuple[int, ...], measure: str) -> View:
        """The surface, the curves and the costs."""
        self.known.refresh()
        place = depth, length
        runs = self.known.runs(method, self.among(task), seeds)
        runs = {(j, m): found for (j, m), found in runs.items() if j in self.depths and m in self.lengths}
        where = f"{self.tasks_in_words(task)}, {controls.BRANCHES[method]}"
        figure, _ = picture(runs, place, measure, self.depths, self.lengths, headline(runs, measure, where))
        band = "Bands go from the lowest to the highest seed." if len(seeds) > 1 and runs else ""
        told = [here(runs.get(place), place, where), self.nearest(runs, place), best(runs, measure), band]
        told += [self.random_from(method), self.missing(runs)]
        return View(figure, " ".join(filter(None, told)), self.costs(method, task, place))

    def tasks_in_words(self, task: str) -> str:
        return f"mean of {len(self.tasks)} tasks" if task == EVERY else task

    def nearest(self, runs: dict[Place, Runs], place: Place) -> str:
        """Where to look instead, if a place has no result and others have."""
        if place in runs or not runs:
            return ""
        row, column = self.depths.index(place[0]), self.lengths.index(place[1])
        j, m = min(runs, key=lambda at: abs(self.depths.index(at[0]) - row) + abs(self.lengths.index(at[1]) - column))
        return f"The nearest is at J = {j}, M = {m}."

    def random_from(self, method: str) -> str:
        """From which length on something else than the length differs too."""
        options = {m: replace(self.known.like, method=method, length=m).method_options for m in self.lengths}
        random = [m for m, chosen in options.items() if chosen.get("init", "words") is None]
        if not random:
            return ""
        return f"From M = {min(random)} on, contexts start from random vectors, no longer from words."

    def missing(self, runs: dict[Place, Runs]) -> str:
        """What the surface lacks, and how it is made; what else one should know of its rows."""
        told = []
        if not self.known.stored:
            told.append(
                f"There are no stored results of depth and length. The command `{COMMAND}` makes them, and "
                "explore(read_table('depth-length.csv')) shows them; Train here makes this point alone."
            )
        elif lacking := len(self.depths) * len(self.lengths) - len(runs):
            told.append(f"{lacking} of {len(self.depths) * len(self.lengths)} places have no result and are hatched.")
        if self.known.left_out:
            told.append(f"{self.known.left_out} rows of other weights, recipes or shots are left out.")
        return " ".join([*told, *self.known.damaged])

    def costs(self, method: str, task: str, place: Place) -> str:
        """What a place costs, as HTML."""
        points = self.points(method, task, *place, seeds=(1,))
        each = [costs.step_flops(p, self.clip, tuple(open_task(p.task).base().classnames)) for p in points]
        text, image = (fmean(flops) / 1e9 for flops in zip(*each, strict=True))
        of = "image features are kept" if not image else f"{image:.2f} in the image tower"
        step = (
            f"A training step of {points[0].plan.batch_size} images needs at least {text + image:.2f} GFLOPs: "
            f"{text:.2f} in the text tower, {of}."
        )
        return costs.cost_table(costs.terms(method, *place, self.clip), step)


SHOWN = {"base": "base classes", "new": "new classes", "H": "harmonic mean H"}
TIP = "Which accuracy the surface shows; the curves show all three"


def train(run: Callable[..., list[dict]], device: str | None, point: Point, watch: Watch) -> list[dict]:
    """Run a point as a sweep does, on one thread: the same numbers, and a core is left for the page."""
    return on_one_thread(partial(run, device=device, watch=watch), point)


def stored_rows() -> pd.DataFrame:
    """The rows that come with the package; none where it has none."""
    try:
        return stored("depth-length")
    except ValueError:
        return as_frame([])


def depths_of(clip: Backbone) -> tuple[int, ...]:
    """1 to 12, or to what both towers have."""
    return tuple(j for j in DEPTHS if j <= min(clip.text_layers, clip.vision_layers))


def on_device(clip: Backbone) -> str:
    if clip.device.type == "cuda":
        return "Trains on the GPU."
    return "Trains on the CPU; on a GPU, the grid around the point can be trained in one press."


def values(choose: dict[str, widgets.ValueWidget]) -> dict[str, object]:
    return {name: control.value for name, control in choose.items()}


def listed(seeds: Sequence[int]) -> str:
    """1, 2 and 3"""
    first, last = [str(seed) for seed in seeds[:-1]], str(seeds[-1])
    return f"{', '.join(first)} and {last}" if first else last


def headline(runs: dict[Place, Runs], measure: str, where: str) -> str:
    """The title of the picture: where the surface is highest."""
    if not runs:
        return f"{where}: no results yet"
    j, m = highest(runs, measure)[0]
    return f"{where}: best {measure} at J={j}, M={m}"


def here(found: Runs | None, place: Place, where: str) -> str:
    """What was measured at the chosen place."""
    at = f"{where[0].upper()}{where[1:]}, J = {place[0]}, M = {place[1]}"
    if found is None:
        return f"{at}: no result yet."
    numbers = ", ".join(f"{name} {found.measure(what).mean:.1f} %" for name, what in MEASURES.items())
    of = f"mean of seeds {listed(found.seeds)}" if len(found.seeds) > 1 else f"seed {found.seeds[0]} alone"
    return f"{at}, {of}{', trained here' if found.here else ''}: {numbers}."


def best(runs: dict[Place, Runs], measure: str) -> str:
    """Where the surface is highest."""
    if not runs:
        return ""
    (j, m), found = highest(runs, measure)
    return f"The best {measure} here is {found.measure(MEASURES[measure]).mean:.1f} %, at J = {j}, M = {m}."


def highest(runs: dict[Place, Runs], measure: str) -> tuple[Place, Runs]:
    return max(runs.items(), key=lambda at: at[1].measure(MEASURES[measure]).mean)

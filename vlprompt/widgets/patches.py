"""Prompts in pixels by kind and size: of noise, trained, or known from stored runs; what the viewer shows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.evaluate import accuracy
from vlprompt.experiments.pixels import SIZE, by_size
from vlprompt.methods import FixedPatch, Padding, RandomPatch
from vlprompt.methods.pixel import at
from vlprompt.points import Point
from vlprompt.protocols import Run
from vlprompt.results import stored
from vlprompt.statistics import ALL, Interval, measure
from vlprompt.sweep import on_one_thread
from vlprompt.tasks import FileTask, Task
from vlprompt.train import Watch
from vlprompt.widgets.gallery import Gallery

CLASSES = {Padding: "padding", FixedPatch: "fixed-patch", RandomPatch: "random-patch"}

Place = tuple[str, int]  # the kind of a prompt, and its width or side in pixels
Levels = dict[str, dict[int, Interval]]  # accuracy by kind and size; zero-shot CLIP's has size 0


@dataclass(frozen=True)
class Found:
    """The accuracy of a trained prompt on all test pictures, and of its noise before, in per cent."""

    accuracy: float
    noise: float | None = None


class Patches:
    """The prompts of one panel: noise until one is trained. `like` says how: shots, seed, changes of the recipe.

    They are tested on all pictures of the gallery.
    """

    def __init__(self, gallery: Gallery, task: Task | FileTask, like: Point):
        self.gallery, self.task, self.like = gallery, task, like
        self.untrained: dict[Place, nn.Module] = {}
        self.trained: dict[Place, nn.Module] = {}
        self.found: dict[Place, Found] = {}

    def take(self, trained: Iterable[nn.Module]) -> None:
        """Take methods that were trained elsewhere; of one kind and size the first."""
        for method in trained:
            place = place_of(method, self.task)
            if place not in self.trained:
                self.trained[place] = method
                self.found[place] = Found(self.test(method))

    def test(self, method: nn.Module) -> float:
        """In per cent."""
        return accuracy(method, self.gallery.images, self.gallery.labels)

    def prompt(self, place: Place) -> nn.Module:
        """The trained prompt of a kind and size, or the noise that a training of it would start from."""
        if place in self.trained:
            return self.trained[place]
        if place not in self.untrained:
            self.untrained[place] = self.run(self.point(*place)).make(self.task)
        return self.untrained[place]

    def point(self, kind: str, size: int) -> Point:
        """A kind and size as something to train."""
        return replace(self.like, method=kind, options=((SIZE[kind], size),))

    def run(self, point: Point, watch: Watch | None = None) -> Run:
        how = point.plan, point.shots, point.seed, point.method_options
        return Run(point.method, self.gallery.backbone, self.task, *how, watch=watch)

    def train(self, point: Point, watch: Watch) -> list[dict]:
        """Train a prompt from its noise: one row with the method and what was found, for `keep`."""

        def work(point: Point) -> list[dict]:
            run = self.run(point, watch)
            noise = self.test(run.make(self.task))
            method = run.train(self.task)
            return [{"method": method, "found": Found(self.test(method), noise)}]

        return on_one_thread(work, point)

    def keep(self, _point: Point, rows: list[dict]) -> None:
        for row in rows:
            place = place_of(row["method"], self.task)
            self.trained[place], self.found[place] = row["method"], row["found"]


def place_of(method: nn.Module, task: Task | FileTask) -> Place:
    """The kind and size of a pixel prompt; ValueError if it is none, or of other classes than the task's."""
    kind = CLASSES.get(type(method))
    if kind is None:
        raise ValueError(f"{type(method).__name__} is no prompt in pixels: give Padding, FixedPatch or RandomPatch")
    if list(method.classnames) != [name.replace("_", " ") for name in task.classnames]:
        raise ValueError(f"this {type(method).__name__} is of other classes than those of {task.name}")
    return kind, method.up.shape[1] if isinstance(method, Padding) else method.patch.shape[1]


def pixels_of(method: nn.Module, i: int) -> Tensor:
    """A prompt (3, H, W) as it is added to the i-th picture; a random patch stands at one place for each picture."""
    if not isinstance(method, RandomPatch):
        return method.prompts().pixels.detach()
    size = method.backbone.image_size
    draw = torch.Generator().manual_seed(i)
    row, column = torch.randint(size - method.patch.shape[1] + 1, (2,), generator=draw).tolist()
    return at(method.patch.detach(), row, column, size)


def stored_levels(backbone: Backbone, task: Task | FileTask, shots: int, rows: pd.DataFrame | None) -> Levels:
    """Accuracies of stored runs on these weights, this whole task and so many shots; nothing where there are none."""
    if rows is None:
        try:
            rows = stored("pixels")
        except ValueError:
            return {}
    rows = rows[(rows["task"] == task.name) & (rows["weights"] == backbone.fingerprint) & (rows["shots"] == shots)]
    if rows.empty or len(task.classnames) < len(task.all_classnames):
        return {}
    levels: Levels = {}
    for (kind, size), mine in by_size(rows).items():
        levels.setdefault(kind, {})[size or 0] = measure(mine, ALL)
    return levels

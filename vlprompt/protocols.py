"""Protocols: how a method is trained and tested so that its numbers can stand beside a paper's."""

import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from vlprompt.backbone import Backbone
from vlprompt.evaluate import accuracy, harmonic_mean
from vlprompt.methods import METHODS, count
from vlprompt.recipes import Recipe
from vlprompt.tasks import Task
from vlprompt.train import fit


@dataclass(frozen=True)
class Result:
    """One run: what was run, and its accuracies in per cent (None where a method has no answer)."""

    method: str
    backbone: str
    task: str
    protocol: str
    shots: int
    seed: int
    n_params: int
    accuracies: dict[str, float | None]
    seconds: dict[str, float]

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass
class Run:
    """A method (by its command-line name) on a task: what a protocol trains and tests."""

    method: str
    backbone: Backbone
    task: Task
    recipe: Recipe
    shots: int = 16
    seed: int = 1  # of the training images, the method's first values and the order of batches
    options: dict = field(default_factory=dict)  # of the method, such as depth and length
    checkpoint: Path | None = None
    progress: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def train(self, task: Task) -> nn.Module:
        """The method, fitted to the training images of a task."""
        make = METHODS[self.method]
        # The rows of zero-shot CLIP use each task's own template; learned methods start from the same words for all.
        given = {"seed": self.seed, "templates": task.template}
        given = {k: v for k, v in given.items() if k in inspect.signature(make).parameters}
        learner = make(self.backbone, task.classnames, **{**given, **self.options})
        images, labels = task.train(self.shots, self.seed)
        images = self.backbone.prepare(images)
        with self.clock("train"):
            fit(
                learner, images, labels, self.recipe, seed=self.seed, checkpoint=self.checkpoint, progress=self.progress
            )
        return learner

    def test(self, learner: nn.Module, task: Task) -> float:
        """Accuracy on the test images of a task, in per cent."""
        images, labels = task.test()
        images = self.backbone.prepare(images)
        with self.clock("eval"):
            return accuracy(learner, images, labels)

    def report(self, protocol: str, learner: nn.Module, accuracies: dict[str, float | None]) -> Result:
        """The result, accuracies to two decimals."""
        accuracies = {split: None if value is None else round(value, 2) for split, value in accuracies.items()}
        seconds = {part: round(value, 2) for part, value in self.seconds.items()}
        place = (self.method, self.backbone.name, self.task.name, protocol, self.shots, self.seed)
        return Result(*place, count(learner), accuracies, seconds)

    @contextmanager
    def clock(self, part: str) -> Iterator[None]:
        """Add the seconds that a part takes to those of the run."""
        start = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


def base_to_new(run: Run) -> Result:
    """Train on the first half of the classes; test on them, and on the other half (CoCoOp, section 4.1).

    A learned head has a row only for the classes of its training, so its `new` is None.
    """
    base, new = run.task.base(), run.task.new()
    learner = run.train(base)
    accuracies = {"base": run.test(learner, base), "new": None, "harmonic_mean": None}
    if not hasattr(learner, "head"):
        accuracies["new"] = run.test(learner.with_classes(new.classnames), new)
        accuracies["harmonic_mean"] = harmonic_mean(accuracies["base"], accuracies["new"])
    return run.report("base-to-new", learner, accuracies)


def few_shot(run: Run) -> Result:
    """Train and test on all classes (CoOp, section 4.1)."""
    learner = run.train(run.task)
    return run.report("few-shot", learner, {"all": run.test(learner, run.task)})


PROTOCOLS = {"base-to-new": base_to_new, "few-shot": few_shot}

"""Protocols: how a method is trained and tested so that its numbers can stand beside a paper's."""

import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from vlprompt.backbone import Backbone
from vlprompt.evaluate import accuracy, harmonic_mean, keep_features
from vlprompt.methods import METHODS, count
from vlprompt.recipes import Recipe
from vlprompt.tasks import Task
from vlprompt.train import Augment, Watch, fit


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
    """A method (by its command-line name) on a task: what a protocol trains and tests.

    `kept` holds image features of test sets that no prompt changes; give one dictionary to all runs on a backbone.
    """

    method: str
    backbone: Backbone
    task: Task
    recipe: Recipe
    shots: int = 16
    seed: int = 1  # of the training images, the method's first values and the order of batches
    options: dict = field(default_factory=dict)  # of the method, such as depth and length
    targets: Sequence[Task] = ()  # for the cross-dataset protocol
    augment: Augment | None = None  # a new view of a batch at each showing
    checkpoint: Path | None = None
    progress: bool = False
    watch: Watch | None = None  # is told of each step
    kept: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: {"train": 0.0, "eval": 0.0})

    def make(self, task: Task) -> nn.Module:
        """The method before it is trained, for the classes of a task."""
        make = METHODS[self.method]
        # The rows of zero-shot CLIP use each task's own template; learned methods start from the same words for all.
        given = {"seed": self.seed, "templates": task.template}
        given = {k: v for k, v in given.items() if k in inspect.signature(make).parameters}
        return make(self.backbone, task.classnames, **{**given, **self.options})

    def train(self, task: Task) -> nn.Module:
        """The method, fitted to the training images of a task."""
        learner = self.make(task)
        if self.recipe.epochs:
            images, labels = task.train(self.shots, self.seed)
            how = {"augment": self.augment, "checkpoint": self.checkpoint, "progress": self.progress}
            with self.clock("train"):
                prepared = self.backbone.prepare(images)
                fit(learner, prepared, labels, self.recipe, seed=self.seed, watch=self.watch, **how)
        return learner

    def test(self, learner: nn.Module, task: Task) -> float:
        """Accuracy on the test images of a task, in per cent."""
        with self.clock("eval"):
            return accuracy(learner, *self.inputs(learner, task))

    def test_others(self, learner: nn.Module, tasks: Mapping[str, Task]) -> dict[str, float]:
        """Accuracy on tasks of other classes, whose names take the place of those in training."""
        # Zero-shot CLIP has no prompt that could be carried over: it reads the other task's own template.
        others = {
            n: learner.with_classes(t.classnames) if self.recipe.epochs else self.make(t) for n, t in tasks.items()
        }
        return {name: self.test(other, tasks[name]) for name, other in others.items()}

    def inputs(self, learner: nn.Module, task: Task):
        """The test images of a task, or their features where no prompt changes them, and their labels."""
        if not learner.keeps_image_features:
            images, labels = task.test()
            return self.backbone.prepare(images), labels
        key = (type(learner).__name__, self.backbone.fingerprint, task)
        if key not in self.kept:
            images, labels = task.test()
            self.kept[key] = keep_features(learner, self.backbone.prepare(images)), labels
        return self.kept[key]

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
        self.seconds[part] += time.perf_counter() - start


def base_to_new(run: Run) -> Result:
    """Train on the first half of the classes; test on them, and on the other half (CoCoOp, section 4.1).

    A learned head has a row only for the classes of its training, so its `new` is None.
    """
    base, new = run.task.base(), run.task.new()
    learner = run.train(base)
    accuracies = {"base": run.test(learner, base), "new": None, "harmonic_mean": None}
    if not hasattr(learner, "head"):
        accuracies |= run.test_others(learner, {"new": new})
        accuracies["harmonic_mean"] = harmonic_mean(accuracies["base"], accuracies["new"])
    return run.report("base-to-new", learner, accuracies)


def few_shot(run: Run) -> Result:
    """Train and test on all classes (CoOp, section 4.1)."""
    learner = run.train(run.task)
    return run.report("few-shot", learner, {"all": run.test(learner, run.task)})


def cross_dataset(run: Run) -> Result:
    """Train on all classes of a task, and test on it and on all classes of `run.targets` (CoCoOp, section 4.2)."""
    return transfer(run, "cross-dataset", {target.name: target for target in run.targets})


def domain_generalisation(run: Run) -> Result:
    """Train on all classes of a task, and test on it and on its other domains (CoCoOp, section 4.3).

    Where a domain holds some of the classes only, the choice is among those.
    """
    return transfer(run, "domain", run.task.domains())


def transfer(run: Run, protocol: str, targets: Mapping[str, Task]) -> Result:
    """Train on one task, test on it ("source") and on others. A learned head is a ValueError before any work."""
    untrained = run.make(run.task)
    for target in targets.values():
        untrained.with_classes(target.classnames)
    learner = run.train(run.task)
    accuracies = {"source": run.test(learner, run.task), **run.test_others(learner, targets)}
    return run.report(protocol, learner, accuracies)


PROTOCOLS = {
    "base-to-new": base_to_new,
    "few-shot": few_shot,
    "cross-dataset": cross_dataset,
    "domain": domain_generalisation,
}

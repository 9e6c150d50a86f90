"""A task whose images lie in files: the same protocol as the emoji tasks, with images that are read when wanted."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vlprompt.pictures import Pictures
from vlprompt.tasks.splits import Groups, Split, few_shot
from vlprompt.tasks.task import SHOTS, check_range

LEAST = 2  # classes to choose from


@dataclass(frozen=True)
class FileTask:
    """A few-shot classification task over image files.

    `keep` lists the classes of the whole task that this one is about; labels count from 0 within it.  `duplicates`
    are the groups of identical files that stand on two sides or in two classes, and `variants()` gives other test
    sets of the same classes.
    """

    name: str
    about: str
    template: str
    all_classnames: tuple[str, ...]
    split: Split = field(repr=False)
    keep: tuple[int, ...] = field(repr=False)
    group: str = "natural"  # as in VTAB: natural, specialised or structured
    upright: bool = True
    duplicates: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    variants: Callable[[], dict[str, "FileTask"]] = field(default=dict, repr=False, compare=False)

    @property
    def classnames(self) -> list[str]:
        """The names of this task's classes; the index of a name is its label."""
        return [self.all_classnames[i] for i in self.keep]

    def base(self) -> "FileTask":
        """The first half of the classes (the larger one, if they are odd in number), as in CoCoOp."""
        return self.part(slice(None, math.ceil(len(self.keep) / 2)))

    def new(self) -> "FileTask":
        """The other half of the classes, which base-to-new training never sees."""
        return self.part(slice(math.ceil(len(self.keep) / 2), None))

    def part(self, which: slice) -> "FileTask":
        if len(self.keep) // 2 < LEAST:
            raise ValueError(
                f"{self.name} has {len(self.keep)} classes, too few for two halves with a choice in each: base-to-new "
                "needs 4 or more; the few-shot protocol trains and tests on all of them"
            )
        return replace(self, keep=self.keep[which])

    def train(self, shots: int = 16, seed: int = 0) -> tuple[Pictures, Tensor]:
        """`shots` images a class, or all of a class that has fewer, and their labels (N,): those that CoOp draws.

        Sampling comes before the choice of classes, so base and whole task share their images (CoOp).
        """
        return self.pictures(self.sampled(shots, seed)[0], "training")

    def validation(self, shots: int = 16, seed: int = 0) -> tuple[Pictures, Tensor]:
        """min(shots, 4) validation images a class, or all of a class that has fewer.

        Where a dataset has none (ImageNet), they are training images that `train` of this seed does not show.
        """
        train, val = self.sampled(shots, seed)
        if not any(self.split.val.values()):
            shown = {path for paths in train.values() for path in paths}
            rest = {y: [p for p in paths if p not in shown] for y, paths in self.split.train.items()}
            _, val = few_shot(Split({}, rest, {}), shots, seed)
        return self.pictures(val, "validation")

    def test(self) -> tuple[Pictures, Tensor]:
        """All test images and their labels (N,)."""
        return self.pictures(self.split.test, "test")

    def domains(self) -> dict[str, "FileTask"]:
        """Other test sets of these classes, or of those that a domain has: for domain generalisation."""
        mine, tasks = set(self.keep), self.variants()
        kept = {name: tuple(i for i in task.keep if i in mine) for name, task in tasks.items()}
        return {name: replace(tasks[name], keep=keep) for name, keep in kept.items() if keep}

    def sampled(self, shots: int, seed: int) -> tuple[Groups, Groups]:
        check_range("shots", shots, *SHOTS)
        check_range("seed", seed, 0, 2**31 - 1)
        return few_shot(self.split, shots, seed)

    def pictures(self, groups: Groups, what: str) -> tuple[Pictures, Tensor]:
        """The images of this task's classes among groups, and their labels within it."""
        label_of = {y: label for label, y in enumerate(self.keep)}
        items = [(path, label_of[y]) for y, paths in groups.items() if y in label_of for path in paths]
        if not items:
            raise ValueError(f"{self.name} has no {what} images")
        paths, labels = zip(*items, strict=True)
        return Pictures(paths, self.upright), torch.tensor(labels)

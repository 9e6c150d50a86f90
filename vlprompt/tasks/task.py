"""A task: classes with names, a template, and images to train, validate and test on."""

import difflib
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from vlprompt.tasks.sides import TEST

SHOTS = (1, 64)  # the least and the most images a class that a few-shot training set may have
VALIDATION_SHOTS = 4  # as in CoOp: min(shots, 4)
TEST_SHOTS, TEST_SIZE = 20, 540  # images a class in a test set, and the least number in all

# (class, side, number of images, generator) -> (number, 3, 48, 48) uint8
Painter = Callable[[int, str, int, Generator], Tensor]


@dataclass(frozen=True)
class Task:
    """A few-shot classification task whose images are painted on demand, the same for the same seed.

    `keep` lists the classes of the whole task that this one is about; labels count from 0 within it. `side` is what
    the test set shows, and `drawn()` says of each domain which classes it has.
    """

    name: str
    about: str
    template: str
    all_classnames: tuple[str, ...]
    painter: Painter
    keep: tuple[int, ...]
    group: str = "natural"  # as in VTAB: natural, specialised or structured
    side: str = TEST
    drawn: Callable[[], dict[str, tuple[int, ...]]] = dict

    @property
    def classnames(self) -> list[str]:
        """The names of this task's classes; the index of a name is its label."""
        return [self.all_classnames[i] for i in self.keep]

    def base(self) -> "Task":
        """The first half of the classes (the larger one, if they are odd in number), as in CoCoOp."""
        return replace(self, keep=self.keep[: math.ceil(len(self.keep) / 2)])

    def new(self) -> "Task":
        """The other half of the classes, which base-to-new training never sees."""
        return replace(self, keep=self.keep[math.ceil(len(self.keep) / 2) :])

    def train(self, shots: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
        """`shots` images a class, (N, 3, 48, 48) uint8, and their labels (N,); seeds give different ones.

        Sampling comes before the choice of classes, so base and whole task share their images (CoOp).
        """
        check_range("shots", shots, *SHOTS)
        return self.images("train", "T", shots, seed)

    def validation(self, shots: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
        """min(shots, 4) further images a class, of the drawings that training shows."""
        check_range("shots", shots, *SHOTS)
        return self.images("validation", "T", min(shots, VALIDATION_SHOTS), seed)

    def test(self, side: str | None = None) -> tuple[Tensor, Tensor]:
        """The test set, always the same: 20 images a class or more, of drawings that training never shows.

        `side` may be a style that is kept for domain generalisation, such as "openmoji".
        """
        count = max(TEST_SHOTS, math.ceil(TEST_SIZE / len(self.all_classnames)))
        return self.images("test", side or self.side, count, 0)

    def domains(self) -> dict[str, "Task"]:
        """Other test sets of these classes, or of those that a domain has: for domain generalisation."""
        kept = {domain: tuple(i for i in classes if i in self.keep) for domain, classes in self.drawn().items()}
        return {d: replace(self, name=f"{self.name}/{d}", side=d, keep=keep) for d, keep in kept.items() if keep}

    def images(self, split: str, side: str, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """`count` images of each class, class by class, from a generator of their own for each class."""
        check_range("seed", seed, 0, 2**31 - 1)
        images = []
        for i in self.keep:
            key = f"{self.name}/{split}/{side}/{seed}/{self.all_classnames[i]}"
            number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])
            images.append(self.painter(i, side, count, torch.Generator().manual_seed(number)))
        return torch.cat(images), torch.arange(len(self.keep)).repeat_interleave(count)


def check_range(what: str, value: int, low: int, high: int) -> None:
    """A ValueError that gives the range, where a number is no integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} must be a whole number from {low} to {high}, not {value!r}")


def nearest(what: str, name: str, known: list[str]) -> str:
    """The sentence for an unknown name, with the known ones that look like it."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:5]
    return f"no {what} is named {name!r}; nearest: {', '.join(near)}"

"""Recipes: how long, how fast and with which optimiser each method is trained.

`recipe("maple")` is the paper's, `recipe("maple", "tiny")` that of the small embedded CLIP, and
`recipe("maple", epochs=2, lr=0.0026)` changes what one likes.  A schedule is a function of the step
alone, so that a run that resumes has no scheduler to restore.
"""

import difflib
import math
from dataclasses import dataclass, fields, replace

OPTIMIZERS = "sgd", "adamw"
SCHEDULES = "coop", "vpt", "vp"

# Shots -> epochs of CoOp's few-shot protocol (CoOp paper; 50 on ImageNet whatever the shots).
COOP_EPOCHS = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}


@dataclass(frozen=True)
class Recipe:
    """How a method is trained; each schedule is a cosine after its authors' warm-up.

    "coop": the warm-up's epochs run at 1e-5, and the cosine over all `epochs` starts after it, so
    it is cut off before 0; one rate an epoch (CoOp, CoCoOp, MaPLe and all others built on them).
    "vpt": the warm-up rises from 0, so the first epoch learns nothing; one rate an epoch (VPT).
    "vp": the warm-up is counted in steps and ends on `lr`; one rate a step (visual prompting).
    `momentum` is SGD's alone.  A bad value is a ValueError.
    """

    lr: float
    epochs: int
    batch_size: int
    schedule: str = "coop"
    warmup: int = 1
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self):
        for name in ("lr", "momentum", "weight_decay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value!r}, but it must be a number from 0 up")
        if self.momentum >= 1:
            raise ValueError(f"momentum is {self.momentum}, but it must lie below 1")
        for name, least in (("epochs", 0), ("batch_size", 1), ("warmup", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}, but it must be a whole number from {least} up")
        for name, choices in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but there are {choices}")

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of a step, counted from 0 over the whole run."""
        epoch = step // steps_per_epoch
        if self.schedule == "coop":
            if epoch < self.warmup:
                return 1e-5
            return self.lr * cosine((epoch - self.warmup) / self.epochs)
        if self.schedule == "vpt":
            if epoch < self.warmup:
                return self.lr * epoch / self.warmup
            return self.lr * cosine((epoch - self.warmup) / (self.epochs - self.warmup))
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        return self.lr * cosine((step - self.warmup) / (self.epochs * steps_per_epoch - self.warmup))

    def is_all_warmup(self, steps_per_epoch: int) -> bool:
        """Whether the training would end before the learning rate is ever `lr`."""
        length = self.epochs * (steps_per_epoch if self.schedule == "vp" else 1)
        return 0 < length <= self.warmup


def cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


# Nothing to learn: zero-shot goes through the same code as the others.
NONE = Recipe(lr=0.0, epochs=0, batch_size=1)

# VPT's authors search lr over {50, 25, 10, 5, 2.5, 1, 0.5, 0.25, 0.1} * batch / 256 and the weight
# decay over {0.01, 0.001, 0.0001, 0} for each task; here stands the middle of both.
VPT = Recipe(2.5 * 128 / 256, 100, 128, schedule="vpt", warmup=10, weight_decay=0.001)
# Visual prompting trains all its prompts, on all data sets, in the same way.
VP = Recipe(40.0, 1000, 256, schedule="vp", warmup=1000, weight_decay=0.0)

# The published configurations: 16 shots, ViT-B/16, base-to-new (visual prompting: ViT-B/32).
PAPER = {
    "zero-shot": NONE,
    "linear-probe": VPT,
    "full-fine-tuning": Recipe(0.0005, 100, 64, schedule="vpt", warmup=10, optimizer="adamw", weight_decay=0.01),
    "vpt-shallow": Recipe(0.0025, 5, 4),  # inside CLIP, as the MaPLe paper trains it
    "vpt-deep": Recipe(0.0025, 5, 4),
    "vpt-linear-head": VPT,  # with a head of its own, as the VPT paper does
    "padding": VP,
    "fixed-patch": VP,
    "random-patch": VP,
    "coop": Recipe(0.002, 200, 32),
    "cocoop": Recipe(0.002, 10, 1),
    "language-only": Recipe(0.0025, 5, 4),
    "vision-only": Recipe(0.0025, 5, 4),
    "independent-vl": Recipe(0.0035, 5, 4),
    "maple": Recipe(0.0035, 5, 4),
    "maple-shared": Recipe(0.0035, 5, 4),
    "maple-cross-dataset": Recipe(0.0026, 2, 4),
}

# For the small CLIP on a laptop, chosen on validation images of four tasks (`benchmarks/recipes.py`): larger batches
# than the papers', so that two cores are busy, and rates that go with them. All deep prompts share one.
_TINY_DEEP = Recipe(0.02, 3, 16)
_TINY_PIXELS = Recipe(4.0, 10, 32, schedule="vp", warmup=5, weight_decay=0.0)
TINY = {
    "zero-shot": NONE,
    "linear-probe": Recipe(0.01, 100, 64, optimizer="adamw", weight_decay=30.0),
    "full-fine-tuning": Recipe(0.0005, 10, 32, optimizer="adamw", weight_decay=0.01),
    "vpt-shallow": Recipe(0.1, 5, 16),
    "vpt-deep": Recipe(0.1, 3, 16),
    "vpt-linear-head": Recipe(0.01, 15, 16, optimizer="adamw", weight_decay=12.0),
    "padding": _TINY_PIXELS,
    "fixed-patch": _TINY_PIXELS,
    "random-patch": _TINY_PIXELS,
    "coop": Recipe(0.1, 30, 32),
    "cocoop": Recipe(0.3, 5, 8),
    "language-only": _TINY_DEEP,
    "vision-only": _TINY_DEEP,
    "independent-vl": _TINY_DEEP,
    "maple": _TINY_DEEP,
    "maple-shared": _TINY_DEEP,
    "maple-cross-dataset": _TINY_DEEP,
}

SCALES = {"paper": PAPER, "tiny": TINY}


def recipe(name: str, scale: str = "paper", **changes) -> Recipe:
    """The recipe of a method: the authors' ("paper") or the one for the small CLIP ("tiny").

    `changes` replace single fields.  An unknown name or scale is a ValueError with the nearest.
    """
    if scale not in SCALES:
        raise ValueError(f"there is no scale {scale!r} of recipes: choose one of {list(SCALES)}")
    presets = SCALES[scale]
    if name not in presets:
        near = difflib.get_close_matches(name, presets, n=3, cutoff=0.4) or list(presets)
        raise ValueError(f"there is no recipe {name!r}; the nearest are: {', '.join(near)}")
    known = [field.name for field in fields(Recipe)]
    for change in changes:
        if change not in known:
            raise ValueError(f"a recipe has no {change!r}; it has {', '.join(known)}")
    return replace(presets[name], **changes)

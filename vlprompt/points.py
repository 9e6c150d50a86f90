"""A point: one run by names and numbers alone, so that it can be stored, sent to another process, and run again.

Running it gives tidy rows, one for each accuracy, which say all that made them.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache, lru_cache
from pathlib import Path

import vlprompt
from vlprompt.augment import RandomViews
from vlprompt.backbone import Backbone
from vlprompt.backbone import load as load_backbone
from vlprompt.methods import METHODS
from vlprompt.protocols import PROTOCOLS, Run
from vlprompt.recipes import COOP_EPOCHS, Recipe, recipe
from vlprompt.tasks import FileTask, Task
from vlprompt.tasks import load as load_task
from vlprompt.tasks.task import SHOTS, check_range, nearest
from vlprompt.train import Watch

Pairs = tuple[tuple[str, object], ...]
WHOLE_IMAGES = ("padding", "fixed-patch", "random-patch")  # methods whose papers show no random views

COLUMNS = (
    "protocol", "method", "task", "split", "shots", "seed", "depth", "length", "options", "recipe", "accuracy",
    "n_params", "train_seconds", "eval_seconds", "backbone", "weights", "device", "version",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One run: a method on a task under a protocol. A depth or length of None is the method's own.

    `options` are others of the method, such as `(("class_specific", True),)`, and `changes` of its recipe, such as
    `(("epochs", 2),)`; `targets` are the tasks that a cross-dataset run is tested on. With `augment`, images in files
    are shown in random views, as in the papers; scenes of emoji vary by themselves.
    """

    method: str
    task: str
    protocol: str = "base-to-new"
    shots: int = 16
    seed: int = 1
    depth: int | None = None
    length: int | None = None
    options: Pairs = ()
    changes: Pairs = ()
    targets: tuple[str, ...] = ()
    augment: bool = True
    backbone: str = "tiny"
    pretrained: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, object]) -> "Point":
        """A point from `as_dict()`, or from what a person wrote; an unknown name is a ValueError."""
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(nearest("part of a point", name, known))
        pairs = {k: as_pairs(k, values[k]) for k in ("options", "changes") if k in values}
        return cls(**{**values, **pairs, "targets": tuple(values.get("targets", ()))})

    def as_dict(self) -> dict:
        """The point as plain values for JSON, without what is at its default."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return values | {k: dict(values[k]) for k in ("options", "changes") if k in values}

    @property
    def key(self) -> str:
        """Sixteen digits that are the same for the same point, in every process."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def method_options(self) -> dict:
        """What the method is made with, besides the backbone, the class names and the seed."""
        options = {n: v for part in ("depth", "length") for n, v in self.spread(part, getattr(self, part)).items()}
        if (self.length or 0) > 4 and "init" in parameters_of(self.method) and self.method != "vision-only":
            options["init"] = None  # longer than "a photo of a": random vectors, as in the authors' codes
        if self.protocol in ("cross-dataset", "domain") and self.method.startswith("maple"):
            options = {"depth": 3} | options  # as in the MaPLe paper, section 4.1
        return options | dict(self.options)

    def spread(self, part: str, value: int | None) -> dict[str, int]:
        """A depth or length under the names that the method has for it: one for each tower that it prompts."""
        towers = ("vision_", "text_") if "vision_depth" in parameters_of(self.method) else ("",)
        if self.method == "vision-only":
            towers = ("vision_",)
        return {} if value is None else {tower + part: value for tower in towers}

    def used(self, part: str) -> int | None:
        """The depth or length that the method is run with; None where it has none."""
        made = inspect.signature(METHODS[self.method]).parameters
        defaults = {name: made[name].default for name in self.spread(part, 1) if name in made}
        return next(iter((defaults | {k: v for k, v in self.method_options.items() if k in defaults}).values()), None)

    @property
    def plan(self) -> Recipe:
        """The recipe of the run: the paper's, or the one for the small CLIP, with the point's changes."""
        scale = "tiny" if self.backbone == "tiny" else "paper"
        if self.method == "zero-shot":
            return recipe(self.method, scale)  # it has nothing to learn, so changes mean nothing to it
        name, changes = self.method, {}
        if self.protocol in ("cross-dataset", "domain") and name.startswith("maple"):
            name = "maple-cross-dataset"
        if name.startswith("vpt") and dict(self.options).get("head") == "linear":
            name = "vpt-linear-head"
        if name == "coop" and scale == "paper":
            fewest = min(k for k in (*COOP_EPOCHS, SHOTS[1]) if k >= min(self.shots, SHOTS[1]))
            epochs = 50 if self.task == "imagenet" else COOP_EPOCHS.get(fewest, 200)
            changes = {"epochs": epochs}
        return recipe(name, scale, **(changes | dict(self.changes)))

    def check(self) -> None:
        """A ValueError, before any work, for what cannot be run."""
        if self.method not in METHODS:
            raise ValueError(nearest("method", self.method, list(METHODS)))
        if self.protocol not in PROTOCOLS:
            raise ValueError(nearest("protocol", self.protocol, list(PROTOCOLS)))
        for option in self.method_options:
            if option not in parameters_of(self.method):
                raise ValueError(f"{self.method} takes no {option}")
        check_range("shots", self.shots, *SHOTS)
        check_range("seed", self.seed, 0, 2**31 - 1)
        if self.protocol == "cross-dataset" and not self.targets:
            raise ValueError("a cross-dataset point needs targets: the tasks to test on")
        for task in (self.task, *self.targets):
            open_task(task)
        self.plan  # noqa: B018  an unknown recipe or a bad change of it


def as_pairs(name: str, value: object) -> Pairs:
    """{"epochs": 2}, or its pairs -> sorted pairs, which can be hashed."""
    try:
        return tuple(sorted(dict(value).items()))
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, but it must be a table such as {{epochs = 2}}") from None


def parameters_of(method: str) -> frozenset[str]:
    """The arguments of a method's constructor."""
    return frozenset(inspect.signature(METHODS[method]).parameters)


@cache
def open_backbone(name: str, pretrained: str | None, device: str | None) -> Backbone:
    """A frozen CLIP, loaded once a process."""
    return load_backbone(name, pretrained=pretrained, device=device)


@cache
def open_task(name: str) -> Task:
    """A task, opened once a process."""
    return load_task(name)


@lru_cache(maxsize=1)
def kept_features(backbone: Backbone) -> dict:
    """Where the runs on a backbone keep the features of test images that no prompt changes."""
    return {}


def make_run(
    point: Point,
    backbone: Backbone,
    *,
    checkpoint: Path | None = None,
    progress: bool = False,
    watch: Watch | None = None,
) -> Run:
    """What a protocol is given to carry out a point."""
    task = open_task(point.task)
    views = point.augment and isinstance(task, FileTask) and point.method not in WHOLE_IMAGES
    return Run(
        point.method, backbone, task, point.plan, point.shots, point.seed, point.method_options,
        targets=[open_task(name) for name in point.targets], augment=RandomViews() if views else None,
        checkpoint=checkpoint, progress=progress, watch=watch, kept=kept_features(backbone),
    )  # fmt: skip


def run_point(
    point: Point, device: str | None = None, progress: bool = False, watch: Watch | None = None
) -> list[dict]:
    """Run a point; a row of COLUMNS for each accuracy (base, new, all, source, or a target's name) in per cent.

    `watch` is told of each step of its training, and can stop it: see `fit`.
    """
    point.check()
    backbone = open_backbone(point.backbone, point.pretrained, device)
    result = PROTOCOLS[point.protocol](make_run(point, backbone, progress=progress, watch=watch))
    common = {
        **{name: getattr(point, name) for name in ("protocol", "method", "task", "shots", "seed", "backbone")},
        "depth": point.used("depth"),
        "length": point.used("length"),
        "options": json.dumps(dict(point.options), sort_keys=True),
        "recipe": json.dumps(asdict(point.plan)),
        "n_params": result.n_params,
        **{f"{part}_seconds": seconds for part, seconds in result.seconds.items()},
        "weights": backbone.fingerprint,
        "device": backbone.device.type,
        "version": vlprompt.__version__,
    }
    accuracies = {k: v for k, v in result.accuracies.items() if v is not None and k != "harmonic_mean"}
    return [{c: {**common, "split": s, "accuracy": a}[c] for c in COLUMNS} for s, a in accuracies.items()]

"""Tidy rows as runs would give them, by a rule instead of training."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict

import pandas as pd

from vlprompt.points import COLUMNS, Point
from vlprompt.store import as_frame

DOMAINS = ("true-colours", "openmoji", "fluent-emoji-high-contrast")


def splits(point: Point) -> tuple[str, ...]:
    """The splits that a run of a point has accuracies in; the flags have a domain less."""
    if point.protocol == "base-to-new":
        return ("base",) if point.method == "linear-probe" else ("base", "new")
    if point.protocol == "few-shot":
        return ("all",)
    if point.protocol == "cross-dataset":
        return ("source", *point.targets)
    return ("source", *(DOMAINS[:2] if point.task == "flags" else DOMAINS))


def row(point: Point, split: str, accuracy: float, **changes) -> dict:
    """A row of a run."""
    values = {
        "protocol": point.protocol, "method": point.method, "task": point.task, "split": split, "shots": point.shots,
        "seed": point.seed, "depth": point.used("depth"), "length": point.used("length"),
        "options": json.dumps(dict(point.options), sort_keys=True), "recipe": json.dumps(asdict(point.plan)),
        "accuracy": accuracy, "n_params": 1000, "train_seconds": 1.0, "eval_seconds": 1.0, "backbone": point.backbone,
        "weights": "0123456789abcdef", "device": "cpu", "version": "0",
    }  # fmt: skip
    return {column: (values | changes)[column] for column in COLUMNS}


def rows(points: Iterable[Point], rule: Callable[[Point, str], float]) -> pd.DataFrame:
    """The rows of points whose accuracies follow a rule."""
    return as_frame([row(p, split, rule(p, split)) for p in points for split in splits(p)])


def frame(accuracies: dict[str, dict[int, dict[str, float]]]) -> pd.DataFrame:
    """{task: {seed: {split: accuracy}}} -> rows of one method."""
    return pd.DataFrame(
        [
            {"task": task, "seed": seed, "split": split, "accuracy": accuracy}
            for task, seeds in accuracies.items()
            for seed, run in seeds.items()
            for split, accuracy in run.items()
        ]
    )

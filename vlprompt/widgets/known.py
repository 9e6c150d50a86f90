"""What is known over depth and length: stored rows, and those that were trained in a panel, which stay on disk."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd
from numpy import ndarray

from vlprompt.points import Point
from vlprompt.statistics import BASE, HARMONIC, NEW, Interval, Measure
from vlprompt.store import DamagedError, Store, as_frame, read
from vlprompt.widgets.controls import BRANCHES

Place = tuple[int, int]  # depth J, length M
MEASURES = {"base": BASE, "new": NEW, "H": HARMONIC}
SPLITS = ("base", "new")


@dataclass(frozen=True)
class Runs:
    """The runs at one place: their seeds, and base and new accuracy of each (n, 2), means over tasks, in per cent."""

    seeds: tuple[int, ...]
    accuracies: ndarray
    here: bool = False  # one of them at least was trained in a panel

    def measure(self, what: Measure) -> Interval:
        """The measure of the means over seeds, and its lowest and highest seed; no ends with a single seed."""
        each = self.accuracies[:, [SPLITS.index(split) for split in what.splits]]
        ends = what.of(each)
        mean = float(what.of(each.mean(axis=0)))
        return Interval(mean) if len(ends) == 1 else Interval(mean, float(ends.min()), float(ends.max()))


@dataclass(eq=False)
class Known:
    """Accuracies by branch, task, depth, length and seed, of points that are like one in everything else.

    Rows of other weights, recipes or shots than those that a point trained today would have are left out and counted,
    since the two could not be compared. What is trained goes to `store`, and comes back from it in the next kernel.
    """

    like: Point
    weights: str  # the backbone's fingerprint
    store: Store
    found: dict[tuple[str, str], dict[Place, dict[int, tuple[float, float]]]] = field(default_factory=dict)
    trained: set[tuple[str, str, Place, int]] = field(default_factory=set)
    stored: int = 0  # rows that were given, and taken in
    left_out: int = 0
    damaged: list[str] = field(default_factory=list)
    seen: tuple[int, int] | None = None  # when the store's folder last changed, and how many files it had

    def add(self, rows: pd.DataFrame, trained: bool = False) -> None:
        """Take in rows of `vlprompt.points.COLUMNS`; a run that is known already is replaced."""
        mine = rows[self.fitting(rows)]
        if not trained:
            self.stored, self.left_out = self.stored + len(mine), self.left_out + len(rows) - len(mine)
        columns = ("method", "task", "depth", "length", "seed", "split", "accuracy")
        runs: dict[tuple, dict[str, float]] = {}
        for method, task, j, m, seed, split, accuracy in zip(*(mine[c].tolist() for c in columns), strict=True):
            runs.setdefault((method, task, (int(j), int(m)), int(seed)), {})[split] = accuracy
        for (method, task, place, seed), both in runs.items():
            if set(both) >= set(SPLITS):
                self.found.setdefault((method, task), {}).setdefault(place, {})[seed] = (both["base"], both["new"])
                if trained:
                    self.trained.add((method, task, place, seed))

    def fitting(self, rows: pd.DataFrame) -> pd.Series:
        """Which rows can stand beside those of a point that is trained today."""
        like = self.like
        recipes = [json.dumps(asdict(replace(like, method=method).plan)) for method in BRANCHES]
        return (
            (rows["protocol"] == like.protocol)
            & (rows["shots"] == like.shots)
            & (rows["backbone"] == like.backbone)
            & (rows["weights"] == self.weights)
            & rows["method"].isin(list(BRANCHES))
            & rows["recipe"].isin(recipes)
            & (rows["options"] == "{}")
            & rows["depth"].notna()
            & rows["length"].notna()
        )

    def refresh(self) -> None:
        """Take in what the store has got since the last look, from this panel or another."""
        folder = self.store.folder / "done"
        paths = sorted(folder.glob("*.json"))
        changed = (folder.stat().st_mtime_ns, len(paths)) if paths else None
        if changed == self.seen:
            return
        self.seen, self.damaged, rows = changed, [], []
        for path in paths:
            try:
                rows += read(path)["rows"]
            except DamagedError as error:
                self.damaged.append(str(error))
        self.add(as_frame(rows), trained=True)

    def keep(self, point: Point, rows: list[dict]) -> None:
        """Take in what was trained, then write it down: it is shown even where it cannot be written (an OSError)."""
        self.add(as_frame(rows), trained=True)
        self.store.keep(point, rows)

    def runs(self, method: str, tasks: Sequence[str], seeds: Iterable[int]) -> dict[Place, Runs]:
        """The runs at each place that has any, among some seeds and in all of the tasks."""
        by_task = [self.found.get((method, task), {}) for task in tasks]
        runs = {}
        for place in list(by_task[0]):  # a training may add to it meanwhile
            each = [found.get(place, {}) for found in by_task]
            there = tuple(seed for seed in seeds if all(seed in found for found in each))
            if there:
                accuracies = np.array([[found[seed] for seed in there] for found in each]).mean(axis=0)
                here = any((method, task, place, seed) in self.trained for task in tasks for seed in there)
                runs[place] = Runs(there, accuracies, here)
        return runs

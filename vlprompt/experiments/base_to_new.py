"""Base to new: train on half of the classes of each task, test on both halves."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from vlprompt.experiments.common import TINY, choose, choose_tasks, grid, things
from vlprompt.experiments.report import Lines, cells, comparisons, here, lines, papers, parameters, unequal
from vlprompt.papers import published
from vlprompt.papers import tables as tables_of_papers
from vlprompt.plots import plot_base_new
from vlprompt.points import Point
from vlprompt.statistics import BASE, HARMONIC, NEW
from vlprompt.tables import Table, make, words
from vlprompt.tasks import find_dataset

METHODS = (
    "zero-shot", "linear-probe", "coop", "cocoop", "vision-only", "language-only", "independent-vl", "maple",
    "maple-shared",
)  # fmt: skip
MEASURES = (BASE, NEW, HARMONIC)


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Each method, with its own depth and length, on each task with each seed (CoCoOp, section 4.1).

    `every` goes into each point: shots, changes, pretrained. A slip is a ValueError.
    """
    variants = choose(methods, [{"method": m} for m in METHODS], others=True)
    where = choose_tasks(tasks, things(), backbone)
    return grid(variants, where, seeds, protocol="base-to-new", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Base, new and harmonic mean of the means, with the papers'; methods against each other; and each task."""
    found = lines(rows, "base-to-new", lambda row: row["method"], METHODS)
    body = {
        method: {"parameters": parameters(mine), **cells(mine, MEASURES)} | printed(method)
        for method, mine in found.items()
    }
    numbers = [cell for line in body.values() for cell in line.values()]
    sources = [published("base-to-new"), published("complexity")][: 1 + ("maple-shared" in body)]
    notes = [here(found), *papers(sources, numbers), *unequal(found)]
    first = make("Base to new: accuracy (%), H = harmonic mean of mean base and mean new", "method", body, notes)
    second = comparisons(found, MEASURES, "zero-shot", "Against zero-shot, and against the line before")
    return [table for table in (first, second, each_task(found)) if table is not None]


def each_task(found: Lines) -> Table:
    """Mean base and new accuracy on each task; on the papers' data sets, with theirs beside them."""
    everything = pd.concat(found.values())
    body: dict[str, dict[str, object]] = {}
    for task in everything["task"].unique():
        means = {m: mine[mine["task"] == task].groupby("split")["accuracy"].mean() for m, mine in found.items()}
        body[task] = {m: " / ".join(words(mean.get(split)) for split in ("base", "new")) for m, mean in means.items()}
        for method in found:
            theirs = tables_of_papers().get(f"datasets-{method}")
            if theirs and (dataset := find_dataset(task)) in theirs.rows:
                base, new = (theirs.number(dataset, split) for split in ("base", "new"))
                body[task][f"paper: {method}"] = f"{base.value:.2f} / {new}"
    return make("Each task: accuracy on base / new classes (%)", "task", body)


def printed(method: str) -> dict[str, object]:
    """The papers' averages over eleven data sets; of MaPLe† only H is known."""
    averages, others = published("base-to-new"), published("complexity")
    found = {f"paper: {column}": averages.number(method, column) for column in averages.columns}
    return found | ({} if found["paper: H"] else {"paper: H": others.number(method, "H")})


def pictures(rows: pd.DataFrame) -> dict[str, tuple[Figure, dict]]:
    """Base against new accuracy: who gains, and at what cost."""
    found = lines(rows, "base-to-new", lambda row: row["method"], METHODS)
    measured = {method: cells(mine, MEASURES) for method, mine in found.items()}
    whole = {method: m for method, m in measured.items() if m["H"] is not None}
    if not whole:
        return {}
    best = max(whole, key=lambda method: whole[method]["H"].mean)
    title = f"{best} has the best harmonic mean, {whole[best]['H'].mean:.1f} %"
    return {"base-to-new": plot_base_new({method: (m["base"], m["new"]) for method, m in whole.items()}, title)}

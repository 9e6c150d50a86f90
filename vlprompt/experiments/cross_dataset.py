"""Cross-dataset transfer: train on all classes of one task, test on all classes of the others."""

from collections.abc import Iterable, Sequence

import pandas as pd

from vlprompt.experiments.common import SOURCE, TINY, carried_over, choose, choose_tasks, grid, things
from vlprompt.experiments.report import SOURCE_ACCURACY, cells, comparisons, here, lines, papers, parameters, unequal
from vlprompt.papers import published
from vlprompt.points import Point
from vlprompt.statistics import Measure, measure
from vlprompt.tables import Table, make

METHODS = ("zero-shot", "coop", "cocoop", "independent-vl", "maple")


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Each method, trained on the first task and tested on the others too, with each seed (CoCoOp, section 4.2).

    `every` goes into each point: shots, changes, pretrained. Fewer than two tasks are a ValueError.
    """
    source, *targets = choose_tasks(tasks, [SOURCE, *things()], backbone)
    if not targets:
        raise ValueError(f"cross-dataset needs two tasks or more, the first to train on: {source} is alone")
    variants = choose(carried_over(methods), [{"method": m} for m in METHODS], others=True)
    every |= {"targets": tuple(targets), "backbone": backbone}
    return grid(variants, [source], seeds, protocol="cross-dataset", **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Source, and mean over the others, with the papers' beside them; then each target."""
    found = lines(rows, "cross-dataset", lambda row: row["method"], METHODS)
    targets = tuple(split for split in pd.concat(found.values())["split"].unique() if split != "source")
    measures = (SOURCE_ACCURACY, Measure("mean of others", targets))
    printed = published("cross-dataset")
    body = {
        method: {
            "parameters": parameters(mine),
            **cells(mine, measures),
            "paper: ImageNet": printed.number(method, "imagenet"),
            "paper: mean of 10": printed.number(method, "mean"),
        }
        for method, mine in found.items()
    }
    numbers = [cell for line in body.values() for cell in line.values()]
    source = ", ".join(pd.concat(found.values())["task"].unique())
    notes = [here(found), *papers([printed], numbers), *unequal(found)]
    first = make(f"Trained on {source}, tested on {len(targets)} others: accuracy (%)", "method", body, notes)
    each = {t: {m: measure(mine, Measure(t, (t,))) for m, mine in found.items()} for t in targets}
    second = make("Each of the others: accuracy (%)", "tested on", each)
    third = comparisons(found, measures, "zero-shot", "Against zero-shot, and against the line before")
    return [t for t in (first, second, third) if t is not None]

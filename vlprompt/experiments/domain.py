"""Domain generalisation: train in one style, test on the same classes in others."""

from collections.abc import Iterable, Sequence

import pandas as pd

from vlprompt.experiments.common import ABLATION_TASKS, TINY, carried_over, choose, choose_tasks, grid
from vlprompt.experiments.report import SOURCE_ACCURACY, cells, comparisons, here, lines, papers, unequal
from vlprompt.papers import published
from vlprompt.points import Point
from vlprompt.statistics import Measure
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
    """Each method, trained on each task and tested on that task's other domains too (CoCoOp, section 4.3).

    `every` goes into each point: shots, changes, pretrained. A slip is a ValueError.
    """
    variants = choose(carried_over(methods), [{"method": m} for m in METHODS], others=True)
    where = choose_tasks(tasks, ABLATION_TASKS, backbone, ["imagenet"])
    return grid(variants, where, seeds, protocol="domain", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Source, each domain, and their mean, with the papers' means beside them; then methods against each other."""
    found = lines(rows, "domain", lambda row: row["method"], METHODS)
    domains = tuple(split for split in pd.concat(found.values())["split"].unique() if split != "source")
    mean = Measure("mean of domains", domains)
    measures = (SOURCE_ACCURACY, *(Measure(domain, (domain,)) for domain in domains), mean)
    printed = published("domain")
    body = {
        method: {
            **cells(mine, measures),
            "paper: ImageNet": printed.number(method, "source"),
            "paper: mean of 4": printed.number(method, "mean"),
        }
        for method, mine in found.items()
    }
    numbers = [cell for line in body.values() for cell in line.values()]
    notes = [here(found), *papers([printed], numbers), *unequal(found)]
    first = make("Other domains of the same classes: accuracy (%)", "method", body, notes)
    measures = (SOURCE_ACCURACY, mean)
    second = comparisons(found, measures, "zero-shot", "Against zero-shot, and against the line before")
    return [first] if second is None else [first, second]

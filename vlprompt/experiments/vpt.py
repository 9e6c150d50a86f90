"""VPT's table: full fine-tuning, a linear head, and prompts in the image tower with a linear head."""

import json
from collections.abc import Iterable, Sequence

import pandas as pd

from vlprompt.experiments.common import TINY, VTAB_TASKS, choose, choose_tasks, grid
from vlprompt.experiments.report import comparisons, here, lines, papers, parameters, unequal
from vlprompt.papers import published
from vlprompt.points import Point, open_task
from vlprompt.statistics import ALL, measure
from vlprompt.tables import Table, make
from vlprompt.tasks.datasets import SOURCES, find_dataset

GROUPS = ("natural", "specialised", "structured")

HEAD = (("head", "linear"),)
VARIANTS = (
    {"method": "full-fine-tuning", "options": HEAD},
    {"method": "linear-probe"},
    {"method": "vpt-shallow", "options": HEAD},
    {"method": "vpt-deep", "options": HEAD},
)


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Each method with a linear head, on all classes of each task, with each seed (VPT, section 4.2).

    `every` goes into each point: shots, changes, pretrained. A slip is a ValueError.
    """
    where = choose_tasks(tasks, VTAB_TASKS, backbone)
    return grid(choose(methods, VARIANTS), where, seeds, protocol="few-shot", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Means of VTAB's three groups of tasks, with the paper's beside them; then each task."""
    found = lines(rows, "few-shot", name, [v["method"] for v in VARIANTS])
    everything = pd.concat(found.values())
    groups = {task: group(task) for task in everything["task"].unique()}
    printed = published("vpt")
    body = {}
    for method, mine in found.items():
        by_group = {g: mine[mine["task"].map(groups) == g] for g in GROUPS}
        body[method] = {"parameters": parameters(mine)}
        body[method] |= {g: measure(some, ALL) for g, some in by_group.items()}
        body[method] |= {f"paper: {g}": printed.number(method, g) for g in GROUPS}
    numbers = [cell for cells in body.values() for cell in cells.values()]
    members = "; ".join(f"{g}: {', '.join(t for t in groups if groups[t] == g) or 'none'}" for g in GROUPS)
    notes = [here(found), f"Groups: {members}.", *papers([printed], numbers), *unequal(found)]
    first = make("Linear heads on a frozen, prompted or tuned image tower: accuracy (%)", "method", body, notes)
    each = {t: {m: measure(mine[mine["task"] == t], ALL) for m, mine in found.items()} for t in groups}
    second = make("Each task: accuracy (%)", "task", each)
    third = comparisons(found, [ALL], "linear-probe", "Against the linear probe, and against the line before")
    return [t for t in (first, second, third) if t is not None]


def name(row: dict) -> str | None:
    """The name of a row's line: the method, if it has a linear head."""
    heads = row["method"] == "linear-probe" or json.loads(row["options"]).get("head") == "linear"
    return row["method"] if heads and row["split"] == "all" else None


def group(task: str) -> str:
    """VTAB's group of a task; a data set need not be there to have one."""
    known = find_dataset(task)
    if known:
        return SOURCES[known].group if known in SOURCES else "natural"
    return open_task(task).group

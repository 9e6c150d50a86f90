"""MaPLe's ablations: which towers are prompted, how deep, how long, and how they are coupled."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import pandas as pd
import torch

from vlprompt.experiments.common import ABLATION_TASKS, TINY, choose, choose_tasks, grid
from vlprompt.experiments.depth_length import LENGTHS, OWN
from vlprompt.experiments.report import cells, here, lines, papers, parameters, unequal
from vlprompt.flops import spent
from vlprompt.methods import METHODS
from vlprompt.papers import published
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.statistics import BASE, HARMONIC, NEW
from vlprompt.tables import Table, make

DEPTHS = (1, 3, 6, 9, 12)
DEPTH, LENGTH = OWN["maple"]


def variant(method: str, depth: int, length: int) -> dict:
    return {"method": method, "depth": depth, "length": length}


# Each ablation and its lines. The same points as those of depth by length, so that one store serves both.
ABLATIONS = {
    "prompted branches": [
        variant("maple", 1, LENGTH),
        *(variant(m, *OWN[m]) for m in ("vision-only", "language-only", "independent-vl")),
        variant("maple", DEPTH, LENGTH),
    ],
    "depth J": [variant("maple", j, LENGTH) for j in DEPTHS],
    "length M": [variant("maple", DEPTH, m) for m in LENGTHS],
    "coupling": [variant(m, DEPTH, LENGTH) for m in ("independent-vl", "maple-shared", "maple")],
}


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Every line of every ablation on each task with each seed, base to new (MaPLe, sections 4.2 and 4.5).

    `every` goes into each point: shots, changes, pretrained. A slip is a ValueError.
    """
    where = choose_tasks(tasks, ABLATION_TASKS, backbone)
    return grid(choose(methods, all_variants()), where, seeds, protocol="base-to-new", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """A table for each ablation: parameters, FLOPs, base, new and H, with the paper's where it prints some."""
    places = {(v["method"], v["depth"], v["length"]) for v in all_variants()}

    def name(row: dict) -> str | None:
        place = (row["method"], row["depth"], row["length"])
        return repr(place) if place in places else None

    found = lines(rows, "base-to-new", name)
    made = []
    for title, variants in ABLATIONS.items():
        body = {}
        for v in variants:
            if (mine := found.get(repr(tuple(v.values())))) is not None:
                body[f"{v['method']}, J={v['depth']}, M={v['length']}"] = line(mine) | printed(**v)
        if body:
            made.append(make(f"MaPLe's ablations: {title}", "method", body))
    numbers = [cell for table in made for cell in table.cells.to_numpy().flat]
    named = {f"{mine['method'].iloc[0]} {key}": mine for key, mine in found.items()}
    sources = [published(source) for source in ("base-to-new", "maple-variants", "complexity")]
    flops = (
        "MFLOP: forwards, for one image and the sentences of the base classes of the first task, a multiply-add "
        "counted as two; in brackets by the authors' way, which computes every token of every sentence."
    )
    made[-1] = replace(made[-1], notes=(here(named), flops, *papers(sources, numbers), *unequal(named)))
    return made


def all_variants() -> list[dict]:
    """The lines of all ablations."""
    return [v for variants in ABLATIONS.values() for v in variants]


def line(rows: pd.DataFrame) -> dict[str, object]:
    """What a table says of one method, depth and length."""
    first = rows.iloc[0]
    place = first["method"], int(first["depth"]), int(first["length"]), first["backbone"], rows["task"].min()
    ours, theirs = (flops(*place, plain=plain) / 1e6 for plain in (False, True))
    return {
        "parameters": parameters(rows),
        "MFLOP": f"{ours:,.0f} ({theirs:,.0f})",
        **cells(rows, (BASE, NEW, HARMONIC)),
    }


def printed(method: str, depth: int, length: int) -> dict[str, object]:
    """The paper's numbers for the method with its own depth and length; of MaPLe, for J = 1 too."""
    averages, variants, others = published("base-to-new"), published("maple-variants"), published("complexity")
    row = f"{method}, J=1"
    if (depth, length) == (1, LENGTH) and row in variants.rows:
        return {f"paper: {column}": variants.number(row, column) for column in variants.columns}
    if (depth, length) == OWN.get(method, (DEPTH, LENGTH)):
        h = averages.number(method, "H") or others.number(method, "H")
        return {f"paper: {column}": averages.number(method, column) for column in ("base", "new")} | {"paper: H": h}
    return {f"paper: {column}": None for column in averages.columns}


@cache
def flops(method: str, depth: int, length: int, backbone: str, task: str, plain: bool) -> int:
    """What it takes to classify one image among the base classes of a task, the sentences included.

    Counted as fvcore does for the MaPLe paper, but a multiply-add as two; `plain`: without the engine's savings.
    """
    point = Point(method, task, depth=depth, length=length)
    clip = replace(open_backbone(backbone, None if backbone == TINY else "random", None), plain=plain)
    learner = METHODS[method](clip, open_task(task).base().classnames, **point.method_options)
    image = torch.zeros(1, 3, clip.image_size, clip.image_size, device=clip.device)
    with torch.no_grad():
        return spent(lambda: learner(image))[1]

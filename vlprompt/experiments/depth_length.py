"""Depth by length: how many layers get prompts of their own (J), and how many tokens each of them (M)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from vlprompt.experiments.common import ABLATION_TASKS, TINY, choose, choose_tasks, grid
from vlprompt.experiments.report import here, lines, unequal
from vlprompt.plots import plot_curves, plot_surface
from vlprompt.points import Point
from vlprompt.statistics import HARMONIC, Interval, measure
from vlprompt.tables import Table, make

DEPTHS, LENGTHS = tuple(range(1, 13)), (1, 2, 4, 8, 16)
# The depth and length of each method's own, where its two axes cross. MaPLe has the whole surface.
OWN = {"vision-only": (12, 8), "language-only": (12, 4), "independent-vl": (12, 2), "maple": (9, 2)}


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    depths: Sequence[int] = DEPTHS,
    lengths: Sequence[int] = LENGTHS,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """MaPLe at each depth and length, the others along both axes (MaPLe, section 4.5).

    `every` goes into each point: shots, changes, pretrained. A slip is a ValueError.
    """
    where = choose_tasks(tasks, ABLATION_TASKS, backbone)
    variants = [{"method": "maple", "depth": j, "length": m} for j in depths for m in lengths]
    for method in ("vision-only", "language-only", "independent-vl"):
        own_depth, own_length = OWN[method]
        variants += [{"method": method, "depth": j, "length": own_length} for j in depths]
        variants += [{"method": method, "depth": own_depth, "length": m} for m in lengths]
    return grid(choose(methods, variants), where, seeds, protocol="base-to-new", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """The harmonic mean of each method by depth and length: a surface of MaPLe, two axes of the others."""
    found = by_place(rows)
    made = []
    for method, places in found.items():
        measured = {place: measure(mine, HARMONIC) for place, mine in places.items()}
        lengths = sorted({m for _, m in places})
        body = {str(j): {f"M={m}": measured.get((j, m)) for m in lengths} for j in sorted({j for j, _ in places})}
        made.append(make(f"{method}: harmonic mean (%) by depth J and length M", "J", body))
    everything = {f"{method} J={j} M={m}": mine for method, some in found.items() for (j, m), mine in some.items()}
    paper = (
        "Paper: MaPLe (Khattak et al. 2023), section 4.5, prints figures only, no numbers: best with J=9 and M=2 "
        "(ViT-B/16, 11 data sets)."
    )
    made[-1] = replace(made[-1], notes=(here(everything), paper, *unequal(everything)))
    return made


def pictures(rows: pd.DataFrame) -> dict[str, tuple[Figure, dict]]:
    """MaPLe's surface; and all methods along each axis through their own depth and length."""
    found = by_place(rows)
    measured = {method: {p: measure(mine, HARMONIC) for p, mine in some.items()} for method, some in found.items()}
    made = {}
    if surface := {place: found.mean for place, found in measured.get("maple", {}).items()}:
        j, m = max(surface, key=surface.get)
        made["surface"] = plot_surface(surface, f"MaPLe is best at J={j}, M={m}: {surface[j, m]:.1f} %")
    for part, name, along in ((0, "depth", "prompted layers, J"), (1, "length", "prompt tokens a layer, M")):
        curves = {method: axis(method, some, part) for method, some in measured.items()}
        curves = {method: curve for method, curve in curves.items() if len(curve) > 1}
        if curves:
            best = {method: max(curve, key=lambda x, curve=curve: curve[x].mean) for method, curve in curves.items()}
            title = f"Best {name}: " + ", ".join(f"{method} {x}" for method, x in best.items())
            made[name] = plot_curves(curves, title, along, what="harmonic mean (%)", doubling=name == "length")
    return made


def axis(method: str, measured: dict[tuple[int, int], Interval], part: int) -> dict[int, Interval]:
    """One axis through a method's own depth and length: part 0 is the depth, 1 the length."""
    own = OWN[method]
    return {place[part]: found for place, found in sorted(measured.items()) if place[1 - part] == own[1 - part]}


def by_place(rows: pd.DataFrame) -> dict[str, dict[tuple[int, int], pd.DataFrame]]:
    """The rows of each method by depth and length."""
    places = {}

    def name(row: dict) -> str | None:
        if row["method"] not in OWN or pd.isna(row["depth"]) or pd.isna(row["length"]):
            return None
        place = row["method"], int(row["depth"]), int(row["length"])
        places[repr(place)] = place
        return repr(place)

    found: dict[str, dict] = {}
    for key, mine in lines(rows, "base-to-new", name).items():
        method, j, m = places[key]
        found.setdefault(method, {})[j, m] = mine
    return {method: found[method] for method in ("maple", *OWN) if method in found}

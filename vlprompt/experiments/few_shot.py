"""Few shots: how much one, two, four, eight and sixteen images a class are worth."""

import json
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from vlprompt.experiments.common import ABLATION_TASKS, TINY, choose, choose_tasks, grid
from vlprompt.experiments.report import here, lines, many, papers, unequal
from vlprompt.papers import published
from vlprompt.plots import plot_curves
from vlprompt.points import Point
from vlprompt.statistics import ALL, Interval, measure
from vlprompt.tables import Table, make

SHOTS = (1, 2, 4, 8, 16)
VARIANTS = (
    {"method": "zero-shot"},
    {"method": "linear-probe"},
    {"method": "coop", "length": 16},  # longer than any first words, so its context starts at random, as CoOp's
    {"method": "coop", "length": 16, "options": (("class_specific", True),)},
    {"method": "maple"},
)


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    shots: Sequence[int] = SHOTS,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Each method on all classes of each task, with each number of shots and seed (CoOp, section 4.1).

    Zero-shot CLIP sees none of the shots, so it runs with the fewest alone. `every` goes into each point: changes,
    pretrained. A slip is a ValueError.
    """
    if not shots:
        raise ValueError("there are no shots: give at least one number of them")
    where = choose_tasks(tasks, ABLATION_TASKS, backbone)
    variants = [
        v | {"shots": k}
        for v in choose(methods, VARIANTS, others=True)
        for k in sorted(set(shots))
        if v["method"] != "zero-shot" or k == min(shots)
    ]
    return grid(variants, where, seeds, protocol="few-shot", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Accuracy by the number of shots; zero-shot CLIP, which sees none, has the same in each column."""
    curves = by_shots(rows)
    shots = sorted({k for curve in curves.values() for k in curve})
    body = {
        name: {many(k, "shot"): curve.get(k, only(curve) if name == "zero-shot" else None) for k in shots}
        for name, curve in curves.items()
    }
    found = lines(rows, "few-shot", line)
    imagenet, domains = published("coop-imagenet"), published("domain")
    paper = (
        f"Paper: {imagenet.source}; {imagenet.setting}: coop with 16 tokens {imagenet.number('M=16', 'imagenet')}, "
        f"zero-shot {domains.number('zero-shot', 'source')}. Its curves over 11 data sets are printed as figures only."
    )
    marks = papers([], [imagenet.number("M=16", "imagenet"), domains.number("zero-shot", "source")])
    notes = [here(found), paper, *marks, *unequal(found)]
    return [make("Few shots: accuracy on all classes (%)", "method", body, notes)]


def pictures(rows: pd.DataFrame) -> dict[str, tuple[Figure, dict]]:
    """A curve each method over the shots, zero-shot CLIP a line across."""
    curves = by_shots(rows)
    levels = {name: only(curve) for name, curve in curves.items() if name == "zero-shot"}
    learned = {name: curve for name, curve in curves.items() if name != "zero-shot"}
    if not learned:
        return {}
    most = max(k for curve in learned.values() for k in curve)
    best = max((name for name in learned if most in learned[name]), key=lambda name: learned[name][most].mean)
    title = f"With {many(most, 'shot')} a class, {best} is best: {learned[best][most].mean:.1f} %"
    return {"few-shot": plot_curves(learned, title, "training images a class", levels=levels, doubling=True)}


def line(row: dict) -> str | None:
    """The name of a row's line: its method, and whether each class has a context of its own."""
    if row["split"] != "all":
        return None
    return row["method"] + ", class-specific" * bool(json.loads(row["options"]).get("class_specific"))


def by_shots(rows: pd.DataFrame) -> dict[str, dict[int, Interval]]:
    """For each line, its accuracy by the number of shots."""
    order = ("zero-shot", "linear-probe", "coop", "coop, class-specific", "maple")
    found = lines(rows, "few-shot", line, order)
    return {
        name: {int(k): measure(mine[mine["shots"] == k], ALL) for k in sorted(mine["shots"].unique())}
        for name, mine in found.items()
    }


def only(curve: dict[int, Interval]) -> Interval:
    """The one number of zero-shot CLIP: that of the fewest shots, since it sees none of them."""
    return curve[min(curve)]

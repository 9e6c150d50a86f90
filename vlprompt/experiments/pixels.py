"""Pixel prompts: a frame, a fixed patch and a random patch, by their size."""

import json
from collections.abc import Iterable, Sequence

import open_clip
import pandas as pd
from matplotlib.figure import Figure

from vlprompt.experiments.common import PIXEL_TASKS, TINY, choose, choose_tasks, grid
from vlprompt.experiments.report import here, lines, papers, parameters, unequal
from vlprompt.methods.pixel import SHARE, TEMPLATE
from vlprompt.papers import published
from vlprompt.plots import plot_curves
from vlprompt.points import Point
from vlprompt.statistics import ALL, Interval, compare, measure
from vlprompt.tables import Table, make

SHARES = (1 / 24, SHARE, 1 / 4)  # of the image's side; the authors' is the middle one
SIZE = {"padding": "width", "fixed-patch": "size", "random-patch": "size"}  # the option that sets it


def image_size(backbone: str) -> int:
    """The side of a CLIP's images in pixels, by its name."""
    if backbone == TINY:
        return 48
    config = open_clip.get_model_config(backbone)
    if config is None:
        raise ValueError(f"open_clip knows no model named {backbone!r}")
    size = config["vision_cfg"].get("image_size", 224)
    return min(size) if isinstance(size, (list, tuple)) else size


def points(
    tasks: Iterable[str] | None = None,
    seeds: Iterable[int] = (1, 2, 3),
    methods: Sequence[str] | None = None,
    *,
    sizes: Sequence[int] | None = None,
    backbone: str = TINY,
    **every,
) -> list[Point]:
    """Each prompt at each size (in pixels), on all classes of each task (Bahng et al. 2022, section 4).

    Zero-shot CLIP, beside them, reads the same sentence as they do. `every` goes into each point: shots, changes,
    pretrained. A slip is a ValueError.
    """
    where = choose_tasks(tasks, PIXEL_TASKS, backbone)
    sizes = sizes or [round(share * image_size(backbone)) for share in SHARES]
    variants = [{"method": "zero-shot", "options": (("templates", TEMPLATE),)}]
    variants += [{"method": m, "options": ((SIZE[m], size),)} for m in SIZE for size in sizes]
    return grid(choose(methods, variants), where, seeds, protocol="few-shot", backbone=backbone, **every)


def tables(rows: pd.DataFrame) -> list[Table]:
    """Accuracy of each prompt by its size, and what it gains over zero-shot CLIP; the paper's beside them."""
    found = by_size(rows)
    frozen = next((mine for (method, _), mine in found.items() if method == "zero-shot"), None)
    printed = published("pixels")
    body = {}
    for (method, size), mine in found.items():
        gain = None if frozen is None or method == "zero-shot" else compare(mine, frozen, ALL)
        body[f"{method}, {size} pixels" if size else method] = {
            "parameters": parameters(mine), "accuracy": measure(mine, ALL), "over zero-shot": gain,
            "paper: mean of 12": printed.number(method, "mean") if is_theirs(size, mine) else None,
        }  # fmt: skip
    numbers = [cell for cells in body.values() for cell in cells.values()]
    named = {f"{method} {size or ''}".strip(): mine for (method, size), mine in found.items()}
    notes = [here(named), *papers([printed], numbers), *unequal(named)]
    return [make("Pixel prompts by size: accuracy on all classes (%)", "method", body, notes)]


def pictures(rows: pd.DataFrame) -> dict[str, tuple[Figure, dict]]:
    """A curve each prompt over its size, zero-shot CLIP a line across."""
    curves: dict[str, dict[int, Interval]] = {}
    levels = {}
    for (method, size), mine in by_size(rows).items():
        if method == "zero-shot":
            levels[method] = measure(mine, ALL)
        else:
            curves.setdefault(method, {})[size] = measure(mine, ALL)
    if not curves:
        return {}
    method, size = max(((m, s) for m in curves for s in curves[m]), key=lambda place: curves[place[0]][place[1]].mean)
    title = f"The best pixel prompt: {method} of {size} pixels, {curves[method][size].mean:.1f} %"
    return {"pixels": plot_curves(curves, title, "width of the frame, or side of the patch (pixels)", levels=levels)}


def by_size(rows: pd.DataFrame) -> dict[tuple[str, int | None], pd.DataFrame]:
    """The rows of each method and size, sizes in order."""
    places: dict[str, tuple[str, int | None]] = {}

    def name(row: dict) -> str | None:
        method = row["method"]
        if row["split"] != "all" or method not in ("zero-shot", *SIZE):
            return None
        size = None if method == "zero-shot" else json.loads(row["options"]).get(SIZE[method]) or usual(row["backbone"])
        places[f"{method} {size}"] = method, size
        return f"{method} {size}"

    found = lines(rows, "few-shot", name)
    order = ["zero-shot", *SIZE]
    names = sorted(found, key=lambda n: (order.index(places[n][0]), places[n][1] or 0))
    return {places[n]: found[n] for n in names}


def usual(backbone: str) -> int:
    """The authors' size, 30 of 224 pixels, on a CLIP's images."""
    return round(SHARE * image_size(backbone))


def is_theirs(size: int | None, rows: pd.DataFrame) -> bool:
    """Whether the paper's number stands beside a line: the authors' size, or none at all."""
    return size is None or size == usual(rows["backbone"].iloc[0])

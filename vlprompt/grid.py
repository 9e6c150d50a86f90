"""The file of a sweep: a grid over methods, tasks, seeds and the rest, in TOML.

    protocols = "base-to-new"      # what stands first holds for every grid
    seeds = [1, 2, 3]

    [[grid]]                       # every combination of a grid's values is a point
    methods = ["zero-shot", "coop"]
    tasks = "all"

    [[grid]]
    methods = "maple"
    tasks = ["plants", "transport"]
    depths = [1, 3, 6, 9, 12]
    lengths = [1, 2, 4]
    changes = { epochs = 2 }       # of the recipe; `options` are further ones of the method

Every key takes a value or a list of values; the one that stands first varies slowest, and the points are run in this
order. A file without [[grid]] is one grid. Only `targets`, of the protocol "cross-dataset", is one list for all points.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import fields
from itertools import product
from pathlib import Path

from vlprompt.methods import METHODS
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.recipes import Recipe
from vlprompt.tasks import task_names
from vlprompt.tasks.task import SHOTS, check_range, nearest

# A key of the file, and the part of a point that it is about.
KEYS = {
    "methods": "method", "tasks": "task", "protocols": "protocol", "shots": "shots", "seeds": "seed",
    "depths": "depth", "lengths": "length", "options": "options", "changes": "changes", "augment": "augment",
    "backbones": "backbone", "pretrained": "pretrained",
}  # fmt: skip
NEEDED = ("methods", "tasks")
RANGES = {"shots": SHOTS, "seeds": (0, 2**31 - 1), "depths": (1, 100), "lengths": (1, 1000)}
RECIPE = [field.name for field in fields(Recipe)]


def read_sweep(path: Path) -> list[Point]:
    """The points of a file, each once and checked. Any slip is a ValueError that names the file and the grid."""
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    grids = content.pop("grid", [{}])
    if not isinstance(grids, list) or not all(isinstance(g, dict) for g in grids):
        raise ValueError(f"{path}: a grid begins with [[grid]]")
    points = []
    for number, grid in enumerate(grids, 1):
        try:
            expanded = expand(content | grid)
            for point in expanded:
                point.check()
        except ValueError as error:
            raise ValueError(f"{path}, grid {number}: {error}") from None
        points += expanded
    return points


def expand(grid: dict) -> list[Point]:
    """Every combination of a grid's values."""
    for key in grid:
        if key not in (*KEYS, "targets"):
            raise ValueError(nearest("key", key, [*KEYS, "targets"]))
    for key in NEEDED:
        if key not in grid:
            raise ValueError(f"{key} are missing")
    if "targets" in grid and "cross-dataset" not in values("protocols", grid.get("protocols", "")):
        raise ValueError('targets go with protocols = "cross-dataset"')
    axes = {KEYS[key]: values(key, value) for key, value in grid.items() if key in KEYS}
    points = [dict(zip(axes, chosen, strict=True)) for chosen in product(*axes.values())]
    return [Point.read(p | targets(grid.get("targets"), p)) for p in points]


def values(key: str, value: object) -> list:
    """A value or a list of them -> a list; "all" stands for all names."""
    everything = {"methods": list(METHODS), "tasks": task_names()}
    if value == "all" and key in everything:
        return everything[key]
    chosen = value if isinstance(value, list) else [value]
    if not chosen:
        raise ValueError(f"{key} is an empty list")
    for one in chosen:
        check_value(key, one)
    return chosen


def check_value(key: str, value: object) -> None:
    """A ValueError for a value of the wrong type or out of range."""
    if key in ("options", "changes"):
        if not isinstance(value, dict) or any(isinstance(v, list | dict) for v in value.values()):
            raise ValueError(f"{key} takes a table of single values such as {{ epochs = 2 }}, not {value!r}")
        for part in value if key == "changes" else ():
            if part not in RECIPE:
                raise ValueError(nearest("part of a recipe", part, RECIPE))
    elif key in RANGES:
        check_range(key, value, *RANGES[key])
    elif not isinstance(value, bool if key == "augment" else str):
        raise ValueError(f"{key} takes {'true or false' if key == 'augment' else 'names'}, not {value!r}")


def targets(chosen: object, point: dict) -> dict:
    """The tasks that a cross-dataset point is tested on: those chosen, without its own; by default all others."""
    if point.get("protocol") != "cross-dataset":
        return {}
    names = values("tasks", "all" if chosen is None else chosen)
    return {"targets": [name for name in names if name != point["task"]]}


def check_points(points: Iterable[Point], device: str | None = None) -> list[Point]:
    """Each point once. Those that cannot be run, as far as can be told before the work, are a ValueError.

    Each method is made once with each choice of its options, for the classes of its first task, on the CPU or the
    device that the work is to be done on.
    """
    points = list(dict.fromkeys(points))
    made = set()
    for point in points:
        point.check()
        what = (point.method, repr(point.method_options), point.backbone, point.pretrained)
        if what not in made:
            made.add(what)
            try_method(point, device or "cpu")
    return points


def try_method(point: Point, device: str) -> None:
    """Make the method of a point, so that a bad depth, length or option is seen."""
    backbone = open_backbone(point.backbone, point.pretrained, device)
    try:
        METHODS[point.method](backbone, open_task(point.task).classnames, **point.method_options)
    except (ValueError, OSError):
        raise
    except Exception as error:  # an option of a type that the method does not expect
        raise ValueError(f"{point.method} cannot be made with {point.method_options}: {error}") from None

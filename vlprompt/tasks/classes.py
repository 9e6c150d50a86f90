"""The classes of the tasks: read from `tasks.toml`, with the side on which each drawing of a class stands."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vlprompt.tasks.drawings import Drawings
from vlprompt.tasks.sides import sides_of
from vlprompt.tasks.things import STYLES


@dataclass(frozen=True)
class TaskClasses:
    """What `tasks.toml` says of one task: class names in their order, and the thing that each of them shows."""

    about: str
    template: str
    classnames: tuple[str, ...]
    things: tuple[str, ...]


@cache
def read_tasks() -> dict[str, TaskClasses]:
    """The eleven tasks by name, in the order of the file."""
    listing = tomllib.loads((Path(__file__).parent / "tasks.toml").read_text(encoding="utf-8"))
    tasks = {}
    for task, entry in listing.items():
        names = [line.split(" = ") for line in entry["classes"]]  # "car = automobile", or "bus" alone
        classnames, things = zip(*((name[0], name[-1]) for name in names), strict=True)
        tasks[task] = TaskClasses(entry["about"], entry["template"], classnames, things)
    return tasks


@cache
def positions() -> dict[str, int]:
    """Every thing that is a class of some task, with its position there."""
    return {thing: i for task in read_tasks().values() for i, thing in enumerate(task.things)}


def styles_on(drawings: Drawings, thing: str, sides: str) -> list[str]:
    """The styles whose drawing of `thing` stands on one of `sides`, such as "T" or "PTE"."""
    drawn = [style for style in STYLES if (thing, style) in drawings.rows]
    return [style for style, side in sides_of(positions().get(thing), drawn).items() if side in sides]

"""What the experiments share: their default tasks, and how a list of points is made."""

from collections.abc import Iterable, Sequence

from vlprompt.points import Point
from vlprompt.tasks.classes import read_tasks
from vlprompt.tasks.datasets import SOURCES

TINY = "tiny"
SOURCE = "mixed-objects"  # the emoji task that is most like ImageNet: a bit of everything
ABLATION_TASKS = ("fruit-and-vegetables", "birds-and-sea-life", "plants")  # those with the fewest classes
# As in VTAB: pictures of things, pictures of another kind, and scenes that ask for their structure.
VTAB_TASKS = ("birds-and-sea-life", "plants", "textures", "how-many", "where", "how-large")
PIXEL_TASKS = ("plants", "where", "how-large")


def things() -> list[str]:
    """The eleven tasks of things, as the papers have eleven data sets."""
    return list(read_tasks())


def datasets() -> list[str]:
    """The papers' eleven data sets, ImageNet first."""
    return ["imagenet", *SOURCES]


def choose_tasks(
    tasks: Iterable[str] | None, tiny: Iterable[str], backbone: str, larger: Iterable[str] | None = None
) -> list[str]:
    """The tasks given, each once; by default those for the small CLIP, or for a `larger` one (the papers' eleven)."""
    default = tiny if backbone == TINY else datasets() if larger is None else larger
    chosen = list(dict.fromkeys(default if tasks is None else tasks))
    if not chosen:
        raise ValueError("there are no tasks: name at least one")
    return chosen


def grid(variants: Iterable[dict], tasks: Iterable[str], seeds: Iterable[int], **every) -> list[Point]:
    """A point for each of `variants` (what sets it apart, such as its method) on each task with each seed, once.

    Seeds come last, so that a sweep which is stopped early has whole tasks of its first seeds.
    """
    seeds, tasks, variants = list(seeds), list(tasks), list(variants)
    if not seeds:
        raise ValueError("there are no seeds: give at least one")
    return list(
        dict.fromkeys(Point(**{**every, **v, "task": t, "seed": s}) for s in seeds for t in tasks for v in variants)
    )


def choose(methods: Sequence[str] | None, variants: Sequence[dict], others: bool = False) -> list[dict]:
    """The variants of the methods given, in their order; None: all of them.

    A method without a variant comes as it is where the experiment can show `others` too, and is a ValueError elsewhere.
    """
    if methods is None:
        return list(variants)
    known = list(dict.fromkeys(v["method"] for v in variants))
    chosen = []
    for method in dict.fromkeys(methods):
        if method not in known and not others:
            raise ValueError(f"this experiment is about {', '.join(known)}, and not about {method!r}")
        chosen += [v for v in variants if v["method"] == method] or [{"method": method}]
    return chosen


def carried_over(methods: Sequence[str] | None) -> Sequence[str] | None:
    """The methods, if all can be tested on other classes than those of their training; a ValueError otherwise."""
    if "linear-probe" in (methods or ()):
        raise ValueError(
            "linear-probe learns weights for each class and cannot be tested on other classes: leave it out"
        )
    return methods

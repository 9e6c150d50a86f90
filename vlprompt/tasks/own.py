"""A task of one's own images, once they are listed: its class names, its split, and all that can be wrong with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from vlprompt.tasks.files import LEAST, FileTask
from vlprompt.tasks.inspection import check_choice, inspect_images, report_duplicates
from vlprompt.tasks.splits import Split, by_label, divide
from vlprompt.tasks.task import check_range, nearest

Names = Mapping[str, str] | Sequence[str] | None
Item = tuple[str, str, str]  # path, class, side: "train", "val", "test", or "" where the split is still to be made
PARTS = ("train", "val", "test")


def build(
    items: Sequence[Item],
    source: Path,
    *,
    classnames: Names,
    template: str,
    name: str,
    seed: int,
    shares: tuple[float, float, float],
    duplicates: str,
) -> FileTask:
    """The task of these images; a ValueError says what is wrong with them, the cheap questions first."""
    check_range("seed", seed, 0, 2**31 - 1)
    check_choice(duplicates)
    if template.count("{}") != 1:
        raise ValueError(f"a template holds one {{}} for the class name; {template!r} does not")
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares are {shares}, but they must be three parts of 1, such as (0.5, 0.2, 0.3)")
    classes = sorted({label for _, label, _ in items}, key=by_value)
    if len(classes) < LEAST:
        raise ValueError(f"{source} has one class, {classes[0]!r}: give at least {LEAST}, to choose from")
    names = name_classes(classes, classnames, source)
    given = any(side for *_, side in items)
    check = check_sides if given else check_counts
    check(items, classes, source)
    digests = inspect_images([path for path, *_ in items])
    if not given:
        items = divide_classes(items, classes, shares, seed, digests)
    places = {path: (side, label) for path, label, side in items}
    twice = report_duplicates(name, places, digests, duplicates)
    number = {label: i for i, label in enumerate(classes)}
    split = Split(*(by_label((path, number[label]) for path, label, s in items if s == side) for side in PARTS))
    about = f"images of {source}"
    return FileTask(name, about, template, tuple(names), split, tuple(range(len(names))), duplicates=twice)


def by_value(label: str) -> tuple[bool, int, str]:
    """What classes are sorted by: numbers by their value, then words."""
    return not label.isdecimal(), int(label) if label.isdecimal() else 0, label


def name_classes(classes: Sequence[str], given: Names, source: Path) -> list[str]:
    """The name of every class: its own, `_` read as a space, or the one that is given instead."""
    if isinstance(given, str):
        raise ValueError(f"classnames is one string, {given!r}; give a list of names, or a mapping")
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        if len(given) != len(classes):
            raise ValueError(f"there are {len(given)} classnames, but {source} has {len(classes)} classes")
        given = dict(zip(classes, given, strict=True))
    for label in given:
        if label not in classes:
            raise ValueError(nearest(f"class in {source}", label, list(classes)))
    names = [" ".join(given.get(label, label).replace("_", " ").split()) for label in classes]
    for i, name in enumerate(names):
        if not name:
            raise ValueError(f"the class {classes[i]!r} has an empty name")
        if name in names[:i]:
            raise ValueError(f"the classes {classes[names.index(name)]!r} and {classes[i]!r} are both named {name!r}")
    return names


def check_counts(items: Sequence[Item], classes: Sequence[str], source: Path) -> None:
    """ValueError unless every class has enough images to be divided."""
    counts = Counter(label for _, label, _ in items)
    for label in classes:
        count = counts[label]
        if count < len(PARTS):
            raise ValueError(
                f"the class {label!r} in {source} has {count} image{'s' * (count > 1)}, too few to be divided: give at "
                "least 3, one each to train, to validate and to test"
            )


def check_sides(items: Sequence[Item], classes: Sequence[str], source: Path) -> None:
    """ValueError unless every class has images to train and to test on, where the split is given."""
    for side in ("train", "test"):
        there = {label for _, label, s in items if s == side}
        if not there:
            raise ValueError(f"the split in {source} has no {side} images: give train and test, and val if you like")
        for label in classes:
            if label not in there:
                raise ValueError(f"the class {label!r} in {source} has no {side} images: give it some, or leave it out")


def divide_classes(
    items: Sequence[Item], classes: Sequence[str], shares: Sequence[float], seed: int, digests: Mapping[str, str]
) -> list[Item]:
    """The images of each class, divided at random by a seed; copies of one image stay together.

    Each class has random numbers of its own, so that another class beside it changes nothing.
    """
    divided = []
    groups = by_label((path, label) for path, label, _ in items)
    for label in classes:
        paths = sorted(groups[label])
        parts = divide(paths, shares, Random(f"{seed}/{label}"), digests)
        if not all(parts):
            different = len({digests[path] for path in paths})
            raise ValueError(f"the class {label!r} has {different} different images, too few to be divided: give 3")
        divided += [(path, label, side) for side, part in zip(PARTS, parts, strict=True) for path in part]
    return divided

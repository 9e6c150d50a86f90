"""Which image trains, validates and tests: CoOp's split files, its few-shot sampling, and splits of one's own."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

Label = TypeVar("Label", bound=Hashable)
# The paths of a split by label, labels in the order in which the list first shows them: what sampling goes by.
Groups = Mapping[int, Sequence[str]]

SHARES = (0.5, 0.2, 0.3)  # of training, validation and test images, as in CoOp's own splits
HELD_OUT = 0.2  # of the training images, for validation, where a dataset has a test set of its own


@dataclass(frozen=True, eq=False)
class Split:
    """The images of a dataset, apart by what they are for, and within that by label."""

    train: Groups
    val: Groups
    test: Groups


def by_label(items: Iterable[tuple[str, Label]]) -> dict[Label, list[str]]:
    """(path, label) pairs as groups."""
    groups: dict[Label, list[str]] = {}
    for path, label in items:
        groups.setdefault(label, []).append(path)
    return groups


def few_shot(split: Split, shots: int, seed: int) -> tuple[Groups, Groups]:
    """Training and validation images of a seed: exactly those that CoOp's code draws (methods of CoOp, section 4.1).

    A class gives `shots` training images and min(shots, 4) validation images, or all that it has.
    """
    random = Random(seed)
    return sample(split.train, shots, random), sample(split.val, min(shots, 4), random)


def sample(groups: Groups, shots: int, random: Random) -> dict[int, list[str]]:
    """So many images of each group, without repetition; all of a group that has fewer."""
    return {y: random.sample(paths, shots) if len(paths) >= shots else list(paths) for y, paths in groups.items()}


def read_zhou(file: Path, images: Path) -> tuple[list[str], Split]:
    """Class names and split of one of CoOp's files, `split_zhou_<Name>.json`; its paths start from `images`.

    The file holds, under train, val and test, a list of [path, label, class name].  A damaged file is a ValueError.
    """
    try:
        listing = json.loads(file.read_text(encoding="utf-8"))
        parts = {part: [(str(p), int(y), str(c)) for p, y, c in listing[part]] for part in ("train", "val", "test")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged, or no split file of CoOp ({type(error).__name__}: {error})") from None
    names: dict[int, str] = {}
    for path, label, name in (item for items in parts.values() for item in items):
        if names.setdefault(label, name) != name:
            raise ValueError(f"{file} calls class {label} both {names[label]!r} and {name!r} (at {path})")
    if sorted(names) != list(range(len(names))):
        raise ValueError(f"the labels in {file} are not 0 to {len(names) - 1}: it is damaged")
    split = Split(*(by_label((str(images / path), label) for path, label, _ in items) for items in parts.values()))
    return [names[label] for label in range(len(names))], split


def check_there(split: Split, source: Path) -> None:
    """ValueError unless the first image of every class in every part is there (all of them would take long)."""
    for groups in (split.train, split.val, split.test):
        for paths in groups.values():
            if not Path(paths[0]).is_file():
                raise ValueError(f"{source} names the image {paths[0]}, which is not there")


def divide(
    paths: Sequence[str], shares: Sequence[float], random: Random, same: Mapping[str, object] | None = None
) -> list[list[str]]:
    """The images of a class in parts of about these shares, at random, at least one image in each.

    `same` gives what two copies of one image have in common: they go to one part.  Fewer different images than
    parts leave the last parts empty.
    """
    units: dict[object, list[str]] = {}
    for path in paths:
        units.setdefault(same[path] if same else path, []).append(path)
    shuffled = list(units.values())
    random.shuffle(shuffled)
    shuffled.sort(key=len, reverse=True)  # the many copies first, so that what follows can even them out
    wanted = [max(round(len(paths) * share), 1) for share in shares[:-1]]
    wanted.append(len(paths) - sum(wanted))
    parts: list[list[str]] = [[] for _ in shares]
    for i, unit in enumerate(shuffled):
        empty = [k for k, part in enumerate(parts) if not part]
        choice = empty if len(shuffled) - i <= len(empty) else range(len(parts))
        parts[max(choice, key=lambda k: wanted[k] - len(parts[k]))] += unit
    return parts


def divide_all(groups: Groups, shares: Sequence[float] = SHARES, seed: int = 0) -> list[dict[int, list[str]]]:
    """Every class of a dataset in parts of about these shares."""
    random = Random(seed)
    parts: list[dict[int, list[str]]] = [{} for _ in shares]
    for label, paths in groups.items():
        for part, chosen in zip(parts, divide(paths, shares, random), strict=True):
            part[label] = chosen
    return parts


def hold_out(train: Groups, test: Groups) -> Split:
    """The split of a dataset with a test set of its own: a fifth of each class's training images validates."""
    kept, held = divide_all(train, (1 - HELD_OUT, HELD_OUT))
    return Split(kept, held, test)

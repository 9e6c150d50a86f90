"""What is looked at before images of one's own are used: can each be read, and do some stand twice."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from vlprompt.paths import cache_folder, replace_whole
from vlprompt.pictures import file_sha256, in_threads, read_picture

SHOWN = 3  # groups of duplicates that a message spells out
DUPLICATES = ("warn", "refuse")


class DuplicateWarning(UserWarning):
    """Identical images stand on two sides of a split, or in two classes."""


def inspect_images(paths: Sequence[str]) -> dict[str, str]:
    """The hash of every image's content, after each has been decoded once.

    One that cannot be read is a ValueError that names it.  The answer is kept in the cache, so that files that have
    not changed since are not read again.
    """
    kept = cache_folder() / "inspected" / f"{state_of(paths)}.json"
    try:
        digests = json.loads(kept.read_text(encoding="utf-8"))
        if len(digests) == len(paths):
            return dict(zip(paths, digests, strict=True))
    except (OSError, ValueError):
        pass  # not yet inspected, or the cache was damaged: look again
    bar = {"total": len(paths), "unit": "image", "desc": "checking", "leave": False, "disable": None, "delay": 1}
    looked = list(tqdm(in_threads(look, paths), **bar))
    bad = [error for error in looked if isinstance(error, ValueError)]
    if bad:
        raise ValueError(f"{bad[0]}{f', and {len(bad) - 1} more images' if len(bad) > 1 else ''}: remove or replace it")
    with suppress(OSError), replace_whole(kept) as temporary:  # the cache only spares time
        temporary.write_text(json.dumps(looked), encoding="utf-8")
    return dict(zip(paths, looked, strict=True))


def look(path: str) -> str | ValueError:
    """The hash of a file that is an image, or the error that says why it is none."""
    try:
        read_picture(path)
        return file_sha256(path)
    except ValueError as error:
        return error


def state_of(paths: Sequence[str]) -> str:
    """A hash of paths, sizes and times of change: the same as long as nobody has written to the files."""
    digest = hashlib.sha256()
    for path in paths:
        stat = os.stat(path)
        digest.update(f"{Path(path).absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def check_choice(duplicates: str) -> None:
    """ValueError unless it is one of the two answers to copies."""
    if duplicates not in DUPLICATES:
        raise ValueError(f"duplicates is {duplicates!r}, but it must be one of {', '.join(DUPLICATES)}")


def report_duplicates(
    name: str, places: Mapping[str, tuple[str, str]], digests: Mapping[str, str], what: str
) -> tuple[tuple[str, ...], ...]:
    """The groups of identical images that stand on two sides or in two classes, said as `what` asks.

    `places` gives each path's side and class.  "warn" is a DuplicateWarning, "refuse" a ValueError.
    """
    groups: dict[str, list[str]] = {}
    for path in places:
        groups.setdefault(digests[path], []).append(path)
    twice = [tuple(paths) for paths in groups.values() if len({places[path] for path in paths}) > 1]
    if not twice:
        return ()
    shown = "; ".join(" = ".join(f"{path} ({' '.join(places[path])})" for path in paths) for paths in twice[:SHOWN])
    more = f"; and {len(twice) - SHOWN} more" if len(twice) > SHOWN else ""
    stand = f"{len(twice)} image{' stands' if len(twice) == 1 else 's stand'}"
    message = f"{name}: {stand} on two sides of the split or in two classes: {shown}{more}"
    if what == "refuse":
        raise ValueError(f"{message}; remove the copies, or give duplicates='warn'")
    warnings.warn(message, DuplicateWarning, stacklevel=4)
    return tuple(twice)

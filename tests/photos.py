"""Small image files, for the tests of tasks whose images lie in files."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def photo(path: Path, seed: int | None = None, size=(40, 32), colour=None, **options) -> Path:
    """Write an image that differs from all others (or of one colour), and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if colour is None:
        number = np.random.default_rng(zlib.crc32(path.as_posix().encode()) if seed is None else seed)
        pixels = number.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    else:
        image = Image.new("RGB", size, colour)
    image.save(path, **options)
    return path


def album(root: Path, classes: dict[str, int], suffix=".png") -> Path:
    """A folder of classes with so many images each, all different and the same every time."""
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            photo(root / name / f"{i:03}{suffix}", seed=zlib.crc32(name.encode()) + i)
    return root


PETS = {"guinea_pig": 10, "cat": 20, "dog": 7, "tree frog": 3}


def sides_of(task) -> dict[str, set[str]]:
    """The paths of a task's images by side."""
    return {s: {p for paths in getattr(task.split, s).values() for p in paths} for s in ("train", "val", "test")}


def write(path: Path, text: str) -> None:
    """Write a text, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def folders(images: Path, classes, count=10, suffix=".jpg") -> None:
    """A folder for each class with so many small images."""
    for name in classes:
        for i in range(count):
            photo(images / name / f"{i}{suffix}", size=(16, 16))


def counts(task) -> list[dict[int, int]]:
    """How many images to train, to validate and to test on each label has."""
    parts = (task.split.train, task.split.val, task.split.test)
    return [{y: len(paths) for y, paths in part.items()} for part in parts]

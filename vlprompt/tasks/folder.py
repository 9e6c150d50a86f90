"""Tasks of one's own images: a folder for each class, or a table of images and labels."""

import csv
from collections.abc import Iterator
from pathlib import Path

from vlprompt.tasks.files import FileTask
from vlprompt.tasks.own import Item, Names, build
from vlprompt.tasks.splits import SHARES

TEMPLATE = "a photo of a {}."
SIDES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
LITTER = {"thumbs.db", "desktop.ini"}  # what systems leave among images, beside hidden files
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}


def from_folder(
    path: str | Path,
    *,
    classnames: Names = None,
    template: str = TEMPLATE,
    name: str | None = None,
    seed: int = 0,
    shares: tuple[float, float, float] = SHARES,
    duplicates: str = "warn",
) -> FileTask:
    """A task of the images in a folder: a folder for each class, or folders train, (val,) test that hold those.

    Class names are the folders' names, `_` read as a space; `classnames` gives others, as a list in the order of the
    sorted folders or as a mapping from some of them.  Where no split is given, each class is divided by `shares` into
    training, validation and test images, by `seed`; copies of an image stay on one side.  Copies on two sides of a
    given split, or in two classes, are said in a DuplicateWarning and in the task's `duplicates`, or refused
    (`duplicates="refuse"`).  An empty class, fewer than two classes, a class with too few images and a file that
    cannot be read as an image are a ValueError that names it, before any work.
    """
    root = Path(path).expanduser()
    items = images_in(root)
    options = {"classnames": classnames, "template": template, "seed": seed, "shares": shares}
    return build(items, root, name=name or root.resolve().name, duplicates=duplicates, **options)


def from_csv(
    path: str | Path,
    *,
    classnames: Names = None,
    template: str = TEMPLATE,
    name: str | None = None,
    seed: int = 0,
    shares: tuple[float, float, float] = SHARES,
    duplicates: str = "warn",
) -> FileTask:
    """A task of the images in a table with the columns `image`, `label` and, where the split is given, `split`.

    Images are paths from the table's folder, labels are class names, and `split` is train, val or test.  Columns are
    apart by commas, semicolons or tabs.  All else is as in `from_folder`; a ValueError names the line.
    """
    file = Path(path).expanduser()
    items = list(items_of(file))
    if not items:
        raise ValueError(f"{file} has no rows: give one for each image")
    options = {"classnames": classnames, "template": template, "seed": seed, "shares": shares}
    return build(items, file, name=name or file.stem, duplicates=duplicates, **options)


def images_in(root: Path) -> list[Item]:
    """Every image in a folder, with its class and side."""
    if not root.is_dir():
        raise ValueError(f"there is no folder {root}: give one that holds a folder of images for each class")
    folders = folders_in(root)
    sides = [SIDES.get(folder.name.lower()) for folder in folders]
    if {"train", "test"} <= set(sides) and None in sides:
        beside = folders[sides.index(None)].name
        raise ValueError(f"{root} holds {beside!r} beside train and test: give train, val and test, or classes alone")
    if not folders or None in sides:
        return images_in_classes(root, "")
    if len(set(sides)) < len(sides):
        raise ValueError(f"{root} has two folders for one side: {', '.join(f.name for f in folders)}")
    return [i for folder, side in zip(folders, sides, strict=True) for i in images_in_classes(folder, side)]


def images_in_classes(root: Path, side: str) -> list[Item]:
    """The images of a folder that holds a folder for each class, with their side."""
    loose = [path for path in files_in(root) if path.suffix.lower() in SUFFIXES]
    if loose:
        raise ValueError(f"{loose[0]} lies in no class: put the images of each class in a folder of its own")
    folders = folders_in(root)
    if not folders:
        raise ValueError(f"{root} holds no classes: put the images of each class in a folder of its own")
    items = []
    for folder in folders:
        paths = all_files_in(folder)
        if not paths:
            raise ValueError(f"the class {folder.name!r} is empty: {folder} holds no image")
        items += [(str(path), folder.name, side) for path in paths]
    return items


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, sorted, without what systems and notebooks leave there."""
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def files_in(root: Path) -> list[Path]:
    """The files in a folder, sorted, without what systems leave there."""
    return sorted(
        p for p in root.iterdir() if p.is_file() and not p.name.startswith(".") and p.name.lower() not in LITTER
    )


def all_files_in(root: Path) -> list[Path]:
    """The files in a folder and in those below it."""
    return [*files_in(root), *(path for folder in folders_in(root) for path in all_files_in(folder))]


def items_of(file: Path) -> Iterator[Item]:
    """The rows of a table, each with the path of its image, its class and its side."""
    if not file.is_file():
        raise ValueError(f"there is no file {file}: give a table with the columns image, label and perhaps split")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no text in UTF-8: save the table as CSV in UTF-8") from None
    header = lines[0] if lines else ""
    rows = csv.DictReader(lines, delimiter=max(",;\t", key=header.count), skipinitialspace=True)
    columns = [column.strip().lower() for column in rows.fieldnames or []]
    rows.fieldnames = columns
    for column in ("image", "label"):
        if column not in columns:
            raise ValueError(f"{file} has no column {column!r}, but {', '.join(columns) or 'none at all'}")
    seen: dict[str, int] = {}
    for row in rows:
        line = f"line {rows.line_num} of {file}"
        path, label, side = read_row(row, file.parent, line)
        if path in seen:
            raise ValueError(f"{line} has the image {row['image']}, as line {seen[path]} has: give it one row")
        seen[path] = rows.line_num
        yield path, label, side


def read_row(row: dict[str, str], folder: Path, line: str) -> Item:
    """One row of a table."""
    if None in row or None in row.values():
        raise ValueError(f"{line} has {'more' if None in row else 'fewer'} fields than the first line has columns")
    image, label = row["image"].strip(), row["label"].strip()
    for column, value in (("image", image), ("label", label)):
        if not value:
            raise ValueError(f"{line} has no {column}")
    path = folder / image
    if not path.is_file():
        raise ValueError(f"{line} names the image {image}, which is not there ({path})")
    if "split" not in row:
        return str(path), label, ""
    side = SIDES.get(row["split"].strip().lower())
    if side is None:
        raise ValueError(f"{line} has the split {row['split'].strip()!r}, but it must be train, val or test")
    return str(path), label, side

"""ImageNet, and the four datasets that test on its classes in other domains: V2, Sketch, A and R."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

from vlprompt.tasks.files import FileTask
from vlprompt.tasks.readers import files_of
from vlprompt.tasks.splits import Split

TEMPLATE = "a photo of a {}."
# CLIP's list has two names twice; the classes that come second get the first word of WordNet instead.
TOLD_APART = {"n04008634": "projectile", "n04355933": "sunglass"}

# Where the images lie below the root: as CoOp's instructions say, and as the archives unpack.
IMAGENET = ("imagenet/images", "imagenet")
VARIANTS = {
    "imagenet-v2": ("imagenetv2/imagenetv2-matched-frequency-format-val", "imagenetv2-matched-frequency-format-val"),
    "imagenet-sketch": ("imagenet-sketch/images", "imagenet-sketch/sketch"),
    "imagenet-a": ("imagenet-adversarial/imagenet-a", "imagenet-a"),
    "imagenet-r": ("imagenet-rendition/imagenet-r", "imagenet-r"),
}
ABOUT = {
    "imagenet": "a thousand kinds of animals and things",
    "imagenet-v2": "new photos of ImageNet's classes, chosen as those were",
    "imagenet-sketch": "drawings of ImageNet's classes in black and white",
    "imagenet-a": "photos of 200 of ImageNet's classes that ResNets get wrong",
    "imagenet-r": "art, toys and other renditions of 200 of ImageNet's classes",
}


def load_imagenet(root: Path) -> FileTask:
    """ImageNet, tested on its validation images, with those of its variants that are there as its domains."""
    folder = located("imagenet", root, tuple(f"{place}/val" for place in IMAGENET)).parent
    names = names_of(root)
    test = by_wordnet(folder / "val", names)
    train = by_wordnet(folder / "train", names) if (folder / "train").is_dir() else {}
    return make("imagenet", folder, names, Split(train, {}, test), cache(partial(variants_of, root)))


def load_variant(name: str, root: Path) -> FileTask:
    """One of the variants: a test set alone, restricted to the classes that it has."""
    folder, names = located(name, root, VARIANTS[name]), names_of(root)
    if name == "imagenet-v2":  # its folders are numbers of classes, not ids
        number = {wordnet: i for i, wordnet in enumerate(known_ids("imagenet_synsets.txt"))}
        test = {label: files_of(folder / str(number[wordnet])) for label, wordnet in enumerate(names)}
    else:
        listed = {"imagenet-a": "imagenet_a_synsets.txt", "imagenet-r": "imagenet_r_synsets.txt"}.get(name)
        only = set(known_ids(listed)) if listed else set(names)
        test = by_wordnet(folder, names, only)
    return make(name, folder, names, Split({}, {}, test), dict)


def variants_of(root: Path) -> dict[str, FileTask]:
    """The variants that are below the root."""
    there = [name for name, places in VARIANTS.items() if any((root / place).is_dir() for place in places)]
    return {name: load_variant(name, root) for name in there}


def make(name: str, folder: Path, names: Mapping[str, str], split: Split, variants: Callable) -> FileTask:
    about = f"{ABOUT[name]} ({folder})"
    keep = tuple(sorted(split.test))
    return FileTask(name, about, TEMPLATE, tuple(names.values()), split, keep, upright=False, variants=variants)


def located(name: str, root: Path, places: tuple[str, ...]) -> Path:
    """The first of some places below the root that is a folder; a ValueError that names them where none is."""
    for place in places:
        if (root / place).is_dir():
            return root / place
    looked = " or ".join(str((root / place).resolve()) for place in places)
    raise ValueError(f"the images of {name} are not there: put them in {looked}")


def names_of(root: Path) -> dict[str, str]:
    """The name of every class by its WordNet id, in the order of ids.

    They are those of a `classnames.txt` beside the images, with lines such as `n01440764 tench`, or CLIP's own.
    """
    for place in ("imagenet/classnames.txt", "imagenet/images/classnames.txt", "classnames.txt"):
        if (root / place).is_file():
            lines = (root / place).read_text(encoding="utf-8").splitlines()
            names = dict(sorted(line.strip().split(" ", 1) for line in lines if " " in line.strip()))
            return told_apart(names, str(root / place))
    from open_clip import IMAGENET_CLASSNAMES

    return told_apart(dict(zip(known_ids("imagenet_synsets.txt"), IMAGENET_CLASSNAMES, strict=True)), "CLIP's list")


def told_apart(names: Mapping[str, str], source: str) -> dict[str, str]:
    """The names with no two alike; a ValueError for a repeated one that has no other name here."""
    repeated = {name for name in names.values() if list(names.values()).count(name) > 1}
    changed = {w: TOLD_APART.get(w, name) if name in repeated else name for w, name in names.items()}
    first: dict[str, str] = {}
    for wordnet, name in changed.items():
        if first.setdefault(name, wordnet) != wordnet:
            raise ValueError(
                f"{source} calls both {first[name]} and {wordnet} {name!r}: every class needs its own name"
            )
    return changed


def known_ids(file: str) -> list[str]:
    """WordNet ids that timm, on which open_clip stands, lists: those of ImageNet, of A or of R, in order."""
    return (files("timm.data") / "_info" / file).read_text(encoding="utf-8").split()


def by_wordnet(folder: Path, names: Mapping[str, str], only: set[str] | None = None) -> dict[int, list[str]]:
    """The images of a folder that holds a folder for each WordNet id, by label: the place among all names."""
    found = {entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."}
    unnamed = sorted(found - set(names))
    if unnamed:
        raise ValueError(f"{folder / unnamed[0]} is no class of ImageNet, or classnames.txt does not name it")
    wanted = [(label, wordnet) for label, wordnet in enumerate(names) if only is None or wordnet in only]
    if not found:
        raise ValueError(f"{folder} holds no class folders: sort its images into one for each WordNet id")
    return {label: files_of(folder / wordnet) for label, wordnet in wanted}

"""The papers' datasets, read from a folder that the user has, with the papers' templates and class names.

A dataset may lie as torchvision lays it out or as CoOp's instructions ask.  Its split is that of CoOp's file
`split_zhou_<Name>.json` where that lies beside the images, the dataset's own (FGVC Aircraft), or made anew.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vlprompt.tasks import readers
from vlprompt.tasks.files import FileTask
from vlprompt.tasks.imagenet import VARIANTS, load_imagenet, load_variant, located
from vlprompt.tasks.readers import Listing
from vlprompt.tasks.splits import check_there, read_zhou
from vlprompt.tasks.task import nearest

ROOT = "VLPROMPT_DATASETS"  # the environment variable that names the folder of all datasets


@dataclass(frozen=True)
class Source:
    """Where a dataset lies and how it is read."""

    about: str
    template: str
    folders: tuple[str, ...]  # below the root: torchvision's, and CoOp's
    images: str  # the folder of images in it
    read: Callable[[Path], Listing]  # without CoOp's file
    zhou: str | None = None  # the name in CoOp's file
    torchvision: str | None = None  # its class there, where that can download it
    group: str = "natural"


SOURCES = {
    "caltech101": Source(
        "things, animals and faces", "a photo of a {}.",
        ("caltech101", "caltech-101"), "101_ObjectCategories", readers.caltech101, "Caltech101", "Caltech101",
    ),
    "oxford-pets": Source(
        "breeds of cats and dogs", "a photo of a {}, a type of pet.",
        ("oxford-iiit-pet", "oxford_pets"), "images", readers.oxford_pets, "OxfordPets", "OxfordIIITPet",
    ),
    "stanford-cars": Source(
        "cars by make, model and year", "a photo of a {}.",
        ("stanford_cars",), "cars_train", readers.stanford_cars, "StanfordCars",
    ),
    "oxford-flowers": Source(
        "kinds of flowers", "a photo of a {}, a type of flower.",
        ("flowers-102", "oxford_flowers"), "jpg", readers.oxford_flowers, "OxfordFlowers", "Flowers102",
    ),
    "food101": Source(
        "dishes", "a photo of {}, a type of food.",
        ("food-101",), "images", readers.food101, "Food101", "Food101",
    ),
    "fgvc-aircraft": Source(
        "variants of aircraft", "a photo of a {}, a type of aircraft.",
        ("fgvc-aircraft-2013b/data", "fgvc_aircraft"), "images", readers.fgvc_aircraft, None, "FGVCAircraft",
    ),
    "sun397": Source(
        "scenes, indoors and outdoors", "a photo of a {}.",
        ("sun397", "."), "SUN397", readers.sun397, "SUN397", "SUN397",
    ),
    "dtd": Source(
        "textures", "{} texture.",
        ("dtd/dtd", "dtd"), "images", readers.dtd, "DescribableTextures", "DTD",
    ),
    "eurosat": Source(
        "uses of land, from a satellite", "a centered satellite photo of {}.",
        ("eurosat",), "2750", readers.eurosat, "EuroSAT", "EuroSAT", "specialised",
    ),
    "ucf101": Source(
        "what people do, in the middle frames of videos", "a photo of a person doing {}.",
        ("ucf101",), "UCF-101-midframes", readers.ucf101, "UCF101",
    ),
}  # fmt: skip


def dataset_names() -> list[str]:
    """ImageNet, the ten other datasets of the papers, and ImageNet's four variants."""
    return ["imagenet", *SOURCES, *VARIANTS]


def plain_name(name: str) -> str:
    """A dataset's name without what writers differ in: `OxfordPets` and `oxford_pets` are `oxford-pets`."""
    return "".join(c for c in name.lower() if c not in "-_ ")


def find_dataset(name: str) -> str | None:
    """The dataset that a name means, None where it means none."""
    return {plain_name(known): known for known in dataset_names()}.get(plain_name(name))


def load(name: str, root: str | Path | None = None, download: bool = False) -> FileTask:
    """A dataset of the papers, from below `root` or the folder that VLPROMPT_DATASETS names.

    `download` brings it there first, by torchvision's own code, where torchvision has it.  What is not there is a
    ValueError that says what was looked for and where.
    """
    known = find_dataset(name)
    if known is None:
        raise ValueError(nearest("dataset", name, dataset_names()))
    root = root or os.environ.get(ROOT)
    if not root:
        raise ValueError(f"{known} lies in files: say below which folder, by root= (--root) or {ROOT}")
    root = Path(root).expanduser()
    if not root.is_dir() and not download:
        raise ValueError(f"{known} cannot be read: there is no folder {root}")
    if known == "imagenet" or known in VARIANTS:
        if download:
            raise ValueError(f"{known} cannot be downloaded: get it from its authors, then leave download out")
        return load_imagenet(root) if known == "imagenet" else load_variant(known, root)
    return load_source(known, SOURCES[known], root, download)


def load_source(name: str, source: Source, root: Path, download: bool) -> FileTask:
    """One of the ten datasets other than ImageNet."""
    if download:
        fetch(name, source, root)
    folder = located(name, root, tuple(f"{place}/{source.images}" for place in source.folders)).parent
    file = zhou_file(source, root)
    # The paths in CoOp's file start from the images; those of Stanford Cars name the folder of images too.
    images = folder if name == "stanford-cars" else folder / source.images
    try:
        names, split = read_zhou(file, images) if file else source.read(folder)
    except (KeyError, IndexError) as error:
        raise ValueError(f"the lists of images in {folder} do not go together: {error!r} is in one alone") from None
    check_there(split, file or folder)
    names = tuple(name.replace("_", " ") for name in names)
    about = f"{source.about} ({folder})"
    return FileTask(name, about, source.template, names, split, tuple(range(len(names))), source.group, upright=False)


def zhou_file(source: Source, root: Path) -> Path | None:
    """CoOp's split file, wherever in the dataset's folders it lies; None where it does not."""
    if not source.zhou:
        return None
    files = [root / place / f"split_zhou_{source.zhou}.json" for place in (*source.folders, ".")]
    return next((file for file in files if file.is_file()), None)


def fetch(name: str, source: Source, root: Path) -> None:
    """Download a dataset by torchvision's code, which leaves alone what is there."""
    from torchvision import datasets

    if source.torchvision is None:
        raise ValueError(f"torchvision cannot download {name}: get it from its authors, then leave download out")
    root.mkdir(parents=True, exist_ok=True)
    try:
        getattr(datasets, source.torchvision)(root, download=True)
    except (RuntimeError, OSError) as error:
        raise ConnectionError(f"{name} could not be downloaded by torchvision ({error}): bring it to {root}") from None

"""How each of the papers' datasets lists its images, where CoOp's split file is not there.

A reader takes the dataset's folder and gives class names and a split.  The splits are made as CoOp's code makes them
(half, a fifth and the rest of each class; or a fifth of the training images held out), with a seed of their own.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from vlprompt.tasks.splits import Groups, Split, by_label, divide_all, hold_out

Listing = tuple[list[str], Split]

CALTECH_LEFT_OUT = ("BACKGROUND_Google", "Faces_easy")
CALTECH_NAMES = {"airplanes": "airplane", "Faces": "face", "Leopards": "leopard", "Motorbikes": "motorbike"}
EUROSAT_NAMES = {
    "AnnualCrop": "Annual Crop Land",
    "HerbaceousVegetation": "Herbaceous Vegetation Land",
    "Highway": "Highway or Road",
    "Industrial": "Industrial Buildings",
    "Pasture": "Pasture Land",
    "PermanentCrop": "Permanent Crop Land",
    "Residential": "Residential Buildings",
    "SeaLake": "Sea or Lake",
}


def class_folders(images: Path, names: Mapping[str, str] | None = None, without: Iterable[str] = ()) -> Listing:
    """A folder a class, all images of which are divided (DTD, EuroSAT, Food101, Caltech101)."""
    folders = sorted(f for f in images.iterdir() if f.is_dir() and f.name[0] != "." and f.name not in without)
    if not folders:
        raise ValueError(f"{images} holds no class folders")
    groups = {label: files_of(folder) for label, folder in enumerate(folders)}
    return [(names or {}).get(folder.name, folder.name) for folder in folders], Split(*divide_all(groups))


def files_of(folder: Path) -> list[str]:
    """The files of a class in sorted order, as no file system gives them; a ValueError where there are none."""
    if not folder.is_dir():
        raise ValueError(f"the class folder {folder} is not there")
    paths = [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name[0] != "."]
    if not paths:
        raise ValueError(f"the class folder {folder} is empty")
    return paths


def dtd(folder: Path) -> Listing:
    return class_folders(folder / "images")


def eurosat(folder: Path) -> Listing:
    return class_folders(folder / "2750", EUROSAT_NAMES)


def food101(folder: Path) -> Listing:
    return class_folders(folder / "images")


def caltech101(folder: Path) -> Listing:
    return class_folders(folder / "101_ObjectCategories", CALTECH_NAMES, CALTECH_LEFT_OUT)


def oxford_pets(folder: Path) -> Listing:
    """Lines such as `Maine_Coon_191 24 1 11`: image, class from 1, and two more numbers."""
    names: dict[int, str] = {}

    def side(part: str) -> Groups:
        items = []
        for image, number, *_ in rows_of(folder / f"annotations/{part}.txt"):
            names[int(number) - 1] = image.rsplit("_", 1)[0].lower()
            items.append((f"{folder}/images/{image}.jpg", int(number) - 1))
        return by_label(items)

    split = hold_out(side("trainval"), side("test"))
    return [names[label] for label in sorted(names)], split


def oxford_flowers(folder: Path) -> Listing:
    """Image n has label n of `imagelabels.mat`, counted from 1; names of `cat_to_name.json`, or torchvision's."""
    from scipy.io import loadmat
    from torchvision.datasets import Flowers102

    labels = loadmat(needed(folder / "imagelabels.mat"), squeeze_me=True)["labels"].tolist()
    groups = by_label((f"{folder}/jpg/image_{i:05d}.jpg", label - 1) for i, label in enumerate(labels, 1))
    names = [name.rstrip("?") for name in Flowers102.classes]
    own = folder / "cat_to_name.json"
    if own.is_file():
        named = json.loads(own.read_text(encoding="utf-8"))
        names = [named[str(i)] for i in range(1, len(named) + 1)]
    return names, Split(*divide_all(groups))


def stanford_cars(folder: Path) -> Listing:
    """Through torchvision; the year moves to the front: `2012 Tesla Model S Sedan`."""
    from torchvision.datasets import StanfordCars

    try:
        train, test = (StanfordCars(folder.parent, split=part, loader=str) for part in ("train", "test"))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{folder} is not as torchvision lays out Stanford Cars ({error})") from None
    names = [" ".join([name.split()[-1], *name.split()[:-1]]) for name in train.classes]
    train, test = (by_label((path, int(label)) for path, label in part) for part in (train, test))
    return names, hold_out(train, test)


def fgvc_aircraft(folder: Path) -> Listing:
    """The dataset's own three lists of variants, with lines such as `0056978 A340-300`."""
    names = [line.strip() for line in lines_of(folder / "variants.txt")]
    label_of = {name: label for label, name in enumerate(names)}

    def side(part: str) -> Groups:
        pairs = (line.strip().split(" ", 1) for line in lines_of(folder / f"images_variant_{part}.txt"))
        return by_label((f"{folder}/images/{image}.jpg", label_of[name]) for image, name in pairs)

    return names, Split(side("train"), side("val"), side("test"))


def sun397(folder: Path) -> Listing:
    """The dataset's first partition, with lines such as `/c/church/outdoor/sun_x.jpg`, named `outdoor church`."""
    places = [path.strip().lstrip("/") for path in lines_of(folder / "ClassName.txt", folder / "SUN397/ClassName.txt")]
    label_of = {place: label for label, place in enumerate(places)}

    def side(part: str) -> Groups:
        paths = (line.strip().lstrip("/") for line in lines_of(folder / part, folder / "SUN397" / part))
        return by_label((f"{folder}/SUN397/{path}", label_of[path.rsplit("/", 1)[0]]) for path in paths)

    names = [" ".join(reversed(place.split("/")[1:])) for place in places]
    return names, hold_out(side("Training_01.txt"), side("Testing_01.txt"))


def ucf101(folder: Path) -> Listing:
    """The middle frames of the videos; lines such as `ApplyLipstick/v_ApplyLipstick_g08_c01.avi 2`."""
    actions = [action for _, action in rows_of(folder / "ucfTrainTestlist/classInd.txt")]
    label_of = {action: label for label, action in enumerate(actions)}

    def words(action: str) -> str:
        return "_".join(re.findall("[A-Z][^A-Z]*", action))

    def side(part: str) -> Groups:
        items = []
        for video, *_ in rows_of(folder / f"ucfTrainTestlist/{part}.txt"):
            action, file = video.split("/")
            items.append((f"{folder}/UCF-101-midframes/{words(action)}/{Path(file).stem}.jpg", label_of[action]))
        return by_label(items)

    return [words(action) for action in actions], hold_out(side("trainlist01"), side("testlist01"))


def needed(*places: Path) -> Path:
    """The first of these files that is there; a ValueError that names them where none is."""
    for place in places:
        if place.is_file():
            return place
    raise ValueError(f"the file {' or '.join(str(place) for place in places)} is not there: it lists the images")


def lines_of(*places: Path) -> list[str]:
    """The lines of a text file that are not empty."""
    return [line for line in needed(*places).read_text(encoding="utf-8").splitlines() if line.strip()]


def rows_of(*places: Path) -> list[list[str]]:
    """The words of each line of a text file."""
    return [line.split() for line in lines_of(*places)]

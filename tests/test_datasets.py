"""The papers' datasets, each in a small folder of its own format: class names, and splits without CoOp's file.

Where torchvision reads the same layout, it must find the same images of the same classes.
"""

import json
from pathlib import Path

import pytest
import scipy.io
import torchvision.datasets
from photos import counts, folders, photo, write

from vlprompt import tasks
from vlprompt.tasks.readers import divide_all


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("VLPROMPT_DATASETS", raising=False)


def matlab(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, values)


def theirs(*parts):
    """(file's path, label) of every image of torchvision's datasets, read without decoding."""
    return {(str(path), int(label)) for part in parts for path, label in part}


def ours(task, sides=("train", "val", "test")):
    return {(p, y) for side in sides for y, paths in getattr(task.split, side).items() for p in paths}


# ---- a folder a class ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["dtd/dtd", "dtd"])
def test_dtd(tmp_path, place):
    classes = ["banded", "polka-dotted", "zigzagged"]
    folders(tmp_path / place / "images", classes)
    for part, numbers in (("train", (0, 1, 2, 3)), ("val", (4, 5, 6)), ("test", (7, 8, 9))):
        write(tmp_path / place / f"labels/{part}1.txt", "\n".join(f"{c}/{i}.jpg" for c in classes for i in numbers))
    task = tasks.load("dtd", tmp_path)
    assert task.classnames == classes
    assert task.template == "{} texture."
    assert counts(task) == [dict.fromkeys(range(3), k) for k in (5, 2, 3)]
    assert not task.upright
    if place == "dtd/dtd":
        read = [torchvision.datasets.DTD(tmp_path, split=s, loader=str) for s in ("train", "val", "test")]
        assert ours(task) == theirs(*read)


def test_eurosat(tmp_path):
    classes = ["AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop"]
    folders(tmp_path / "eurosat/2750", [*classes, "Residential", "River", "SeaLake"], 5)
    task = tasks.load("EuroSAT", tmp_path)
    assert ours(task) == theirs(torchvision.datasets.EuroSAT(tmp_path, loader=str))
    assert task.group == "specialised"
    assert task.classnames == [
        *["Annual Crop Land", "Forest", "Herbaceous Vegetation Land", "Highway or Road", "Industrial Buildings"],
        *["Pasture Land", "Permanent Crop Land", "Residential Buildings", "River", "Sea or Lake"],
    ]


def test_food101(tmp_path):
    classes = ["apple_pie", "baklava"]
    folders(tmp_path / "food-101/images", classes)
    for part, numbers in (("train", range(7)), ("test", range(7, 10))):
        write(tmp_path / f"food-101/meta/{part}.json", json.dumps({c: [f"{c}/{i}" for i in numbers] for c in classes}))
    task = tasks.load("food-101", tmp_path)
    assert task.classnames == ["apple pie", "baklava"]
    assert task.template == "a photo of {}, a type of food."
    assert ours(task) == theirs(
        *(torchvision.datasets.Food101(tmp_path, split=s, loader=str) for s in ("train", "test"))
    )


@pytest.mark.parametrize("place", ["caltech101", "caltech-101"])
def test_caltech101(tmp_path, place):
    classes = ["BACKGROUND_Google", "Faces", "Faces_easy", "Leopards", "Motorbikes", "airplanes", "water_lilly"]
    images = tmp_path / place / "101_ObjectCategories"
    for name in classes:
        for i in range(1, 6):
            photo(images / name / f"image_{i:04}.jpg")
    task = tasks.load("caltech101", tmp_path)
    assert task.classnames == ["face", "leopard", "motorbike", "airplane", "water lilly"]
    if place == "caltech101":
        read = torchvision.datasets.Caltech101(tmp_path)
        kept = {c for c in read.categories if c != "Faces_easy"}
        assert {Path(path).parent.name for path, _ in ours(task)} == kept
        assert len(ours(task)) == len(read) - 5


def test_splits_without_coops_file_are_half_a_fifth_and_the_rest(tmp_path):
    folders(tmp_path / "dtd/images", ["a", "b"], 24)
    split = tasks.load("dtd", tmp_path).split
    assert [len(part[0]) for part in (split.train, split.val, split.test)] == [12, 5, 7]
    assert tasks.load("dtd", tmp_path).split.test == split.test, "the same each time"
    assert divide_all({0: ["a", "b", "c"]}) == divide_all({0: ["a", "b", "c"]})


# ---- lists of images -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["oxford-iiit-pet", "oxford_pets"])
def test_oxford_pets(tmp_path, place):
    folder = tmp_path / place
    lines = {"trainval": [], "test": []}
    for number, breed in enumerate(("Abyssinian", "american_bulldog", "Bengal"), 1):
        for i in range(13):
            photo(folder / f"images/{breed}_{i}.jpg")
            lines["trainval" if i < 10 else "test"].append(f"{breed}_{i} {number} 1 1")
    for part, text in lines.items():
        write(folder / f"annotations/{part}.txt", "\n".join(text))
    task = tasks.load("oxford-pets", tmp_path)
    assert task.classnames == ["abyssinian", "american bulldog", "bengal"]
    assert task.template == "a photo of a {}, a type of pet."
    assert counts(task) == [dict.fromkeys(range(3), k) for k in (8, 2, 3)]
    if place == "oxford-iiit-pet":
        for part, sides in (("trainval", ("train", "val")), ("test", ("test",))):
            read = torchvision.datasets.OxfordIIITPet(tmp_path, split=part)
            assert ours(task, sides) == {(str(p), y) for p, y in zip(read._images, read._labels, strict=True)}


@pytest.mark.parametrize("place", ["flowers-102", "oxford_flowers"])
def test_oxford_flowers(tmp_path, monkeypatch, place):
    folder = tmp_path / place
    labels = [102, 1, 60] * 10
    for i in range(1, 31):
        photo(folder / f"jpg/image_{i:05}.jpg")
    matlab(folder / "imagelabels.mat", labels=labels)
    matlab(folder / "setid.mat", trnid=[*range(1, 11)], valid=[*range(11, 21)], tstid=[*range(21, 31)])
    task = tasks.load("oxford_flowers", tmp_path)
    assert len(task.classnames) == 102
    assert [task.classnames[y] for y in (0, 59, 101)] == ["pink primrose", "pink-yellow dahlia", "blackberry lily"]
    assert counts(task)[0] == {101: 5, 0: 5, 59: 5}
    if place == "flowers-102":
        monkeypatch.setattr(torchvision.datasets.Flowers102, "_check_integrity", lambda self: True)
        read = [torchvision.datasets.Flowers102(tmp_path, split=s, loader=str) for s in ("train", "val", "test")]
        assert ours(task) == theirs(*read)
    write(folder / "cat_to_name.json", json.dumps({str(i): f"flower {i}" for i in range(1, 103)}))
    assert tasks.load("oxford-flowers", tmp_path).classnames[59] == "flower 60"


def test_stanford_cars(tmp_path):
    folder = tmp_path / "stanford_cars"
    names = ["AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012"]
    matlab(folder / "devkit/cars_meta.mat", class_names=names)
    for side, count in (("train", 10), ("test", 4)):
        notes = []
        for i in range(2 * count):
            photo(folder / f"cars_{side}/{i:05}.jpg")
            notes.append({"class": i % 2 + 1, "fname": f"{i:05}.jpg"})
        path = "devkit/cars_train_annos.mat" if side == "train" else "cars_test_annos_withlabels.mat"
        matlab(folder / path, annotations=notes)
    task = tasks.load("stanford-cars", tmp_path)
    assert task.classnames == ["2000 AM General Hummer SUV", "2012 Ram C/V Cargo Van Minivan"]
    assert counts(task) == [{0: k, 1: k} for k in (8, 2, 4)]
    assert ours(task, ["test"]) == theirs(torchvision.datasets.StanfordCars(tmp_path, split="test", loader=str))
    (folder / "cars_test_annos_withlabels.mat").unlink()
    with pytest.raises(ValueError, match="is not as torchvision lays out Stanford Cars"):
        tasks.load("stanford-cars", tmp_path)


@pytest.mark.parametrize("place", ["fgvc-aircraft-2013b/data", "fgvc_aircraft"])
def test_fgvc_aircraft(tmp_path, place):
    folder, names = tmp_path / place, ["707-320", "DC-9-30", "Tu-134 B"]
    write(folder / "variants.txt", "\n".join(names) + "\n")
    for k, part in enumerate(("train", "val", "test")):
        lines = [f"{100 * k + i:07} {name}" for i, name in enumerate(names * 2)]
        write(folder / f"images_variant_{part}.txt", "\n".join(lines) + "\n")
        for line in lines:
            photo(folder / f"images/{line[:7]}.jpg")
    task = tasks.load("fgvc-aircraft", tmp_path)
    assert task.classnames == names
    assert task.template == "a photo of a {}, a type of aircraft."
    if "2013b" in place:
        for part in ("train", "val", "test"):
            assert ours(task, [part]) == theirs(torchvision.datasets.FGVCAircraft(tmp_path, split=part, loader=str))


@pytest.mark.parametrize("place", ["", "sun397"])
def test_sun397(tmp_path, place):
    folder, where = tmp_path / place, ["a/abbey", "c/church/indoor", "c/church/outdoor"]
    write(folder / "SUN397/ClassName.txt", "\n".join(f"/{w}" for w in where))
    for part, count in (("Training", 10), ("Testing", 3)):
        paths = [f"{w}/sun_{part}{i}.jpg" for w in where for i in range(count)]
        write(folder / f"{part}_01.txt", "\n".join(f"/{p}" for p in paths))
        for path in paths:
            photo(folder / "SUN397" / path)
    task = tasks.load("sun397", tmp_path)
    assert task.classnames == ["abbey", "indoor church", "outdoor church"]
    assert counts(task) == [dict.fromkeys(range(3), k) for k in (8, 2, 3)]
    assert ours(task) == theirs(torchvision.datasets.SUN397(folder, loader=str))
    (folder / "Training_01.txt").unlink()
    with pytest.raises(ValueError, match=r"the file .*Training_01.txt or .*SUN397/Training_01.txt is not there"):
        tasks.load("sun397", tmp_path)


def test_ucf101(tmp_path):
    folder, actions = tmp_path / "ucf101", ["ApplyEyeMakeup", "YoYo"]
    write(folder / "ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup\n2 YoYo\n")
    for part, count in (("train", 5), ("test", 2)):
        lines = []
        for number, (action, words) in enumerate(zip(actions, ("Apply_Eye_Makeup", "Yo_Yo"), strict=True), 1):
            for i in range(count):
                lines.append(f"{action}/v_{action}_{part}{i}.avi" + (f" {number}" if part == "train" else ""))
                photo(folder / f"UCF-101-midframes/{words}/v_{action}_{part}{i}.jpg")
        write(folder / f"ucfTrainTestlist/{part}list01.txt", "\n".join(lines))
    task = tasks.load("ucf101", tmp_path)
    assert task.classnames == ["Apply Eye Makeup", "Yo Yo"]
    assert task.template == "a photo of a person doing {}."
    assert counts(task) == [{0: k, 1: k} for k in (4, 1, 2)]
    write(folder / "ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup\n")
    with pytest.raises(ValueError, match=r"do not go together: KeyError\('YoYo'\)"):
        tasks.load("ucf101", tmp_path)

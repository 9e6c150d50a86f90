"""Where the papers' datasets lie: CoOp's split files, names, roots, downloads, and what is not there."""

import json
import random
from pathlib import Path

import pytest
import torchvision.datasets
from photos import counts, folders, photo, write

from vlprompt import tasks
from vlprompt.tasks import datasets


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("VLPROMPT_DATASETS", raising=False)


def items(task):
    """(file's path, class name) of every image."""
    parts = (task.split.train, task.split.val, task.split.test)
    return {(path, task.all_classnames[y]) for part in parts for y, paths in part.items() for path in paths}


# ---- CoOp's split files --------------------------------------------------------------------------

ZHOU = {
    "caltech101": ("caltech-101", "101_ObjectCategories", "Caltech101"),
    "oxford-pets": ("oxford_pets", "images", "OxfordPets"),
    "stanford-cars": ("stanford_cars", "cars_train", "StanfordCars"),
    "oxford-flowers": ("oxford_flowers", "jpg", "OxfordFlowers"),
    "food101": ("food-101", "images", "Food101"),
    "sun397": ("sun397", "SUN397", "SUN397"),
    "dtd": ("dtd", "images", "DescribableTextures"),
    "eurosat": ("eurosat", "2750", "EuroSAT"),
    "ucf101": ("ucf101", "UCF-101-midframes", "UCF101"),
}


@pytest.mark.parametrize("name", ZHOU)
def test_coops_split_file_decides(tmp_path, name):
    place, images, called = ZHOU[name]
    below = "cars_train/" if name == "stanford-cars" else ""
    names = ["first_class", "second class", "third", "fourth"]
    listing = {
        part: [[f"{below}{y}/{part}{i}.jpg", y, names[y]] for y in (2, 0, 1, 3) for i in range(count)]
        for part, count in (("train", 6), ("val", 5), ("test", 2))
    }
    for entry in (e for part in listing.values() for e in part):
        photo(tmp_path / place / images / entry[0].removeprefix("cars_train/"), size=(16, 16))
    write(tmp_path / place / f"split_zhou_{called}.json", json.dumps(listing))
    task = tasks.load(name, tmp_path)
    assert task.classnames == ["first class", "second class", "third", "fourth"]
    assert counts(task) == [dict.fromkeys((2, 0, 1, 3), k) for k in (6, 5, 2)]
    assert all(Path(path).is_file() for path, _ in items(task))
    pictures, labels = task.new().train(2, seed=1)
    assert [Path(p).parent.name for p in pictures.paths] == ["2", "2", "3", "3"]
    assert labels.tolist() == [0, 0, 1, 1]
    draw = random.Random(1)  # as random.seed(1) in CoOp's code: the classes in the list's order, 2, 0, 1, 3
    two, _, _, three = [draw.sample(range(6), 2) for _ in range(4)]
    assert [Path(p).name for p in pictures.paths] == [f"train{i}.jpg" for i in (*two, *three)]


def test_coops_file_lies_with_either_layout(tmp_path):
    folders(tmp_path / "dtd/dtd/images", ["a", "b"], 1)
    write(
        tmp_path / "dtd/split_zhou_DescribableTextures.json",
        json.dumps({part: [["a/0.jpg", 0, "a"], ["b/0.jpg", 1, "b"]] for part in ("train", "val", "test")}),
    )
    assert counts(tasks.load("dtd", tmp_path)) == [{0: 1, 1: 1}] * 3


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        ("{", "is damaged, or no split file of CoOp"),
        ({"train": [], "val": []}, "is damaged, or no split file of CoOp"),
        ({"train": [["a/0.jpg"]], "val": [], "test": []}, "is damaged, or no split file of CoOp"),
        (
            {"train": [["a/0.jpg", 0, "a"], ["a/0.jpg", 0, "b"]], "val": [], "test": []},
            "calls class 0 both 'a' and 'b'",
        ),
        ({"train": [["a/0.jpg", 1, "a"]], "val": [], "test": []}, "are not 0 to 0: it is damaged"),
        ({"train": [["a/1.jpg", 0, "a"]], "val": [], "test": []}, r"names the image .*a/1.jpg, which is not there"),
    ],
)
def test_a_damaged_split_file_is_refused(tmp_path, listing, says):
    folders(tmp_path / "dtd/images", ["a", "b"], 1)
    text = listing if isinstance(listing, str) else json.dumps(listing)
    write(tmp_path / "dtd/split_zhou_DescribableTextures.json", text)
    with pytest.raises(ValueError, match=says):
        tasks.load("dtd", tmp_path)


# ---- names, places, downloads --------------------------------------------------------------------


def test_names_and_templates_are_the_papers():
    assert tasks.dataset_names()[0] == "imagenet"
    assert len(tasks.dataset_names()) == 15
    assert not set(tasks.dataset_names()) & set(tasks.task_names())
    for name in ("OxfordPets", "oxford_pets", "Oxford-Pets"):
        assert datasets.find_dataset(name) == "oxford-pets"
    assert datasets.find_dataset("./dtd") is None, "that is a path"
    assert {name: source.template for name, source in datasets.SOURCES.items()} == {
        "caltech101": "a photo of a {}.",
        "oxford-pets": "a photo of a {}, a type of pet.",
        "stanford-cars": "a photo of a {}.",
        "oxford-flowers": "a photo of a {}, a type of flower.",
        "food101": "a photo of {}, a type of food.",
        "fgvc-aircraft": "a photo of a {}, a type of aircraft.",
        "sun397": "a photo of a {}.",
        "dtd": "{} texture.",
        "eurosat": "a centered satellite photo of {}.",
        "ucf101": "a photo of a person doing {}.",
    }


@pytest.mark.parametrize("name", tasks.dataset_names())
def test_what_is_not_there_is_said(name, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=rf"{name} lies in files: say below which folder, by root= \(--root\) or VLP"):
        tasks.load(name)
    monkeypatch.setenv("VLPROMPT_DATASETS", str(tmp_path))
    with pytest.raises(ValueError, match=f"the images of {name} are not there: put them in {tmp_path}/"):
        tasks.load(name)
    with pytest.raises(ValueError, match=f"{name} cannot be read: there is no folder .*/no"):
        tasks.load(name, tmp_path / "no")


def test_the_root_may_come_from_the_environment(tmp_path, monkeypatch):
    folders(tmp_path / "dtd/images", ["a", "b"], 3)
    monkeypatch.setenv("VLPROMPT_DATASETS", str(tmp_path))
    assert tasks.load("dtd").classnames == ["a", "b"]


def test_downloads_are_torchvisions(tmp_path, monkeypatch):
    asked = []

    def download(root, download):
        asked.append((root, download))
        folders(root / "dtd/dtd/images", ["a", "b"], 3)

    monkeypatch.setattr(torchvision.datasets, "DTD", download)
    assert datasets.load("dtd", tmp_path / "new", download=True).classnames == ["a", "b"]
    assert asked == [(tmp_path / "new", True)]

    def refuse(root, download):
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "DTD", refuse)
    with pytest.raises(ConnectionError, match=r"dtd could not be downloaded by torchvision \(File not found"):
        datasets.load("dtd", tmp_path, download=True)
    for name in ("ucf101", "stanford-cars"):
        with pytest.raises(ValueError, match=f"torchvision cannot download {name}"):
            datasets.load(name, tmp_path, download=True)
    with pytest.raises(ValueError, match="imagenet cannot be downloaded"):
        datasets.load("imagenet", tmp_path, download=True)
    for source in datasets.SOURCES.values():
        assert source.torchvision is None or hasattr(torchvision.datasets, source.torchvision)
    with pytest.raises(ValueError, match="no dataset is named 'dtt'; nearest: dtd"):
        datasets.load("dtt", tmp_path)

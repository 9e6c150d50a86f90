"""Images of one's own in a folder become a task: what is wrong is said first, and no file is on two sides."""

import shutil
from pathlib import Path

import pytest
from photos import PETS, album, photo, sides_of

from vlprompt import tasks
from vlprompt.tasks import from_folder, inspection
from vlprompt.tasks.inspection import DuplicateWarning


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path):
    return album(tmp_path / "my_pets", PETS)


def test_a_folder_of_classes_is_a_task(pets):
    task = from_folder(pets)
    assert task.name == "my_pets"
    assert task.classnames == ["cat", "dog", "guinea pig", "tree frog"]
    assert task.template == "a photo of a {}."
    sides = sides_of(task)
    assert sum(len(s) for s in sides.values()) == len(set().union(*sides.values())) == 40
    counts = {side: [len(getattr(task.split, side)[y]) for y in range(4)] for side in sides}
    assert counts == {"train": [10, 4, 5, 1], "val": [4, 1, 2, 1], "test": [6, 2, 3, 1]}
    images, labels = task.test()
    assert len(images) == 12
    assert labels.tolist() == [0] * 6 + [1] * 2 + [2] * 3 + [3]
    assert all(
        Path(p).parent.name.replace("_", " ") == task.classnames[y] for p, y in zip(images.paths, labels, strict=True)
    )
    assert tasks.load(str(pets)).classnames == tasks.load(pets).classnames == task.classnames


def test_the_seed_decides_the_split_and_other_classes_do_not(pets):
    task = from_folder(pets)
    assert sides_of(task) == sides_of(from_folder(pets))
    assert sides_of(task) != sides_of(from_folder(pets, seed=1))
    album(pets, {"bird": 5})
    cats = {p for p in sides_of(task)["train"] if "/cat/" in p}
    assert {p for p in sides_of(from_folder(pets))["train"] if "/cat/" in p} == cats


def test_shares_are_kept(pets):
    split = from_folder(pets, shares=(0.1, 0.1, 0.8)).split
    assert [len(split.train[0]), len(split.val[0]), len(split.test[0])] == [2, 2, 16]


@pytest.mark.parametrize(
    "names", [{"train": "train", "val": "val", "test": "test"}, {"Training": "train", "testing": "test"}]
)
def test_a_given_split_is_kept(tmp_path, names):
    for k, folder in enumerate(names):
        for c, label in enumerate(("ant", "bee", "fly")):
            for i in range(2):
                photo(tmp_path / "bugs" / folder / label / f"{i}.png", seed=100 * k + 10 * c + i)
    task = from_folder(tmp_path / "bugs")
    assert task.classnames == ["ant", "bee", "fly"]
    for folder, side in names.items():
        assert {Path(p).parts[-3] for p in sides_of(task)[side]} == {folder}
    _, labels = task.validation(2, seed=1) if "val" in names else task.train(2, seed=1)
    assert labels.bincount().tolist() == [2, 2, 2]


def test_numbers_are_sorted_by_value_before_words(tmp_path):
    task = from_folder(album(tmp_path / "x", dict.fromkeys(("10", "9", "09", "ant"), 3)))
    assert task.classnames == ["09", "9", "10", "ant"]


def test_a_class_may_be_called_train(tmp_path):
    assert from_folder(album(tmp_path / "traffic", {"bus": 3, "train": 3})).classnames == ["bus", "train"]


def test_names_can_be_given(pets):
    assert from_folder(pets, classnames=["A", "B", "C", "D"]).classnames == ["A", "B", "C", "D"]
    assert from_folder(pets, classnames={"cat": "tabby_cat"}, template="{} here").classnames[0] == "tabby cat"
    assert from_folder(pets, name="zoo").name == "zoo"


def test_what_systems_leave_is_no_image_and_folders_may_be_deep(pets):
    for litter in (
        ".DS_Store",
        "Thumbs.db",
        "cat/.DS_Store",
        "cat/desktop.ini",
        ".ipynb_checkpoints/x.png",
        "__MACOSX/y",
    ):
        (pets / litter).parent.mkdir(exist_ok=True)
        (pets / litter).write_bytes(b"litter")
    (pets / "README.md").write_text("my pets")
    photo(pets / "cat/2024/july/new.jpg")
    assert len(set().union(*sides_of(from_folder(pets)).values())) == 41


def ruin(path, how):
    data = path.read_bytes()
    path.write_bytes({"truncated": data[: len(data) // 2], "text": b"not an image", "empty": b""}[how])


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_file_that_is_no_image_is_named(tmp_path, how, suffix):
    root = album(tmp_path / "x", {"cat": 4, "dog": 4}, suffix)
    bad = root / "dog" / f"002{suffix}"
    ruin(bad, how)
    with pytest.raises(ValueError, match="cannot be read as an image") as said:
        from_folder(root)
    assert str(bad) in str(said.value)
    assert "\n" not in str(said.value)
    ruin(root / "cat" / f"001{suffix}", how)
    with pytest.raises(ValueError, match="and 1 more images: remove or replace it"):
        from_folder(root)


def make(tmp_path, classes):
    root = tmp_path / "x"
    root.mkdir()
    return album(root, classes)


@pytest.mark.parametrize(
    ("classes", "options", "says"),
    [
        ({"cat": 4, "dog": 0}, {}, r"the class 'dog' is empty: .*/x/dog holds no image"),
        ({}, {}, "holds no classes: put the images of each class in a folder"),
        ({"cat": 4}, {}, "has one class, 'cat': give at least 2"),
        ({"cat": 4, "dog": 2}, {}, r"the class 'dog' in .* has 2 images, too few to be divided: give at least 3"),
        ({"train/cat": 1, "train/dog": 1}, {}, "has no test images: give train and test"),
        ({"test/cat": 1, "val/dog": 1}, {}, "has no train images"),
        ({"train/cat": 1, "train/dog": 1, "test/cat": 1}, {}, "'dog' in .* has no test images"),
        ({"train/cat": 1, "valid/cat": 1, "val/dog": 1}, {}, "two folders for one side: train, val, valid"),
        ({"train/cat": 1, "test/cat": 1, "more/cat": 1}, {}, "'more' beside train and test"),
        ({"cat": 3, "dog": 3}, {"classnames": ["cat"]}, r"there are 1 classnames, but .* has 2 classes"),
        ({"cat": 3, "dog": 3}, {"classnames": "cat"}, "classnames is one string"),
        ({"cat": 3, "dog": 3}, {"classnames": {"cot": "x"}}, "is named 'cot'; nearest: cat"),
        ({"cat": 3, "dog": 3}, {"classnames": {"cat": "dog"}}, "'cat' and 'dog' are both named 'dog'"),
        ({"cat": 3, "dog": 3}, {"classnames": {"cat": "_"}}, "'cat' has an empty name"),
        ({"a_b": 3, "a b": 3}, {}, "both named 'a b'"),
        ({"cat": 3, "dog": 3}, {"template": "a photo"}, r"a template holds one \{\}"),
        ({"cat": 3, "dog": 3}, {"shares": (0.5, 0.5, 0.5)}, "three parts of 1"),
        ({"cat": 3, "dog": 3}, {"seed": -1}, "seed must be"),
        ({"cat": 3, "dog": 3}, {"duplicates": "no"}, "must be one of warn, refuse"),
    ],
)
def test_slips_are_said_before_any_file_is_read(tmp_path, monkeypatch, classes, options, says):
    root = make(tmp_path, classes)
    monkeypatch.setattr(inspection, "look", None)
    with pytest.raises(ValueError, match=says) as said:
        from_folder(root, **options)
    assert "\n" not in str(said.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        from_folder(tmp_path / "no")
    (photo(tmp_path / "x/cat/1.png"), photo(tmp_path / "x/loose.jpg"))
    with pytest.raises(ValueError, match=r"loose.jpg lies in no class"):
        from_folder(tmp_path / "x")


def test_files_are_inspected_once_until_they_change(pets, monkeypatch):
    from_folder(pets)
    looked = []
    look = inspection.look
    monkeypatch.setattr(inspection, "look", lambda path: looked.append(path) or look(path))
    from_folder(pets, seed=3)
    assert not looked
    photo(pets / "cat/000.png", seed=77, size=(48, 48))
    from_folder(pets)
    assert len(looked) == 40
    for damage in ("{", "[1]"):
        looked.clear()
        for file in (pets.parent / "cache/inspected").iterdir():
            file.write_text(damage)
        from_folder(pets)
        assert len(looked) == 40


def test_ctrl_c_while_files_are_checked_waits_for_nothing(pets, monkeypatch):
    looked = []

    def interrupt(path):
        looked.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "look", interrupt)
    with pytest.raises(KeyboardInterrupt):
        from_folder(pets)
    assert len(looked) < 40
    assert not (pets.parent / "cache").exists()


def test_a_cache_that_cannot_be_written_is_no_obstacle(pets, monkeypatch):
    (pets.parent / "file").write_text("no folder")
    monkeypatch.setenv("VLPROMPT_CACHE", str(pets.parent / "file"))
    assert len(from_folder(pets).classnames) == 4


# ---- copies --------------------------------------------------------------------------------------


def test_copies_of_an_image_stay_on_one_side(pets):
    for i in range(5):
        shutil.copy(pets / "cat/000.png", pets / f"cat/copy{i}.png")
    for seed in range(5):
        task = from_folder(pets, seed=seed)
        copies = {side for side, paths in sides_of(task).items() for p in paths if "copy" in p or "cat/000" in p}
        assert len(copies) == 1
        assert task.duplicates == ()
    for i in range(1, 20):
        shutil.copy(pets / "cat/000.png", pets / f"cat/{i:03}.png")
    with pytest.raises(ValueError, match="the class 'cat' has 1 different images, too few"):
        from_folder(pets)


def test_copies_on_two_sides_of_a_given_split_are_reported(tmp_path):
    root = album(tmp_path / "x", {"train/cat": 2, "train/dog": 2, "test/cat": 2, "test/dog": 2})
    shutil.copy(root / "train/cat/001.png", root / "test/cat/again.png")
    with pytest.warns(
        DuplicateWarning, match=r"1 image stands on two sides .*again.png \(test cat\) = .*001.png \(train"
    ):
        task = from_folder(root)
    assert [{Path(p).name for p in group} for group in task.duplicates] == [{"001.png", "again.png"}]
    with pytest.raises(ValueError, match="remove the copies, or give duplicates='warn'"):
        from_folder(root, duplicates="refuse")


def test_one_image_in_two_classes_is_reported(pets):
    shutil.copy(pets / "cat/000.png", pets / "dog/same.png")
    with pytest.warns(DuplicateWarning, match=r"cat/000.png .*same.png \(.* dog\)"):
        assert len(from_folder(pets).duplicates) == 1

"""A table of one's own images becomes a task, and a slip in it is named with its line."""

from pathlib import Path

import pytest
from photos import PETS, album, sides_of

from vlprompt import tasks
from vlprompt.tasks import from_csv, from_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path):
    return album(tmp_path / "my_pets", PETS)


def table(root, text, encoding="utf-8"):
    path = root / "list.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_is_a_task(pets, mark):
    rows = [f"{p.relative_to(pets)}{mark}{p.parent.name}" for p in sorted(pets.rglob("*.png"))]
    task = from_csv(table(pets, "\n".join([f"Image{mark} label", *rows]), "utf-8-sig"))
    assert task.name == "list"
    folder = from_folder(pets)
    assert task.classnames == folder.classnames
    assert sides_of(task) == sides_of(folder)
    assert tasks.load(pets / "list.csv").classnames == task.classnames


def test_a_table_may_give_the_split_and_numbers_for_labels(pets):
    rows = [
        f"cat/{i:03}.png,{y},{s}" for i, (y, s) in enumerate([(2, "train"), (10, "Train"), (2, "test"), (10, "test")])
    ]
    task = from_csv(table(pets, "\n".join(["image,label,split", *rows])), classnames=["two", "ten"])
    assert task.classnames == ["two", "ten"]
    images, labels = task.train(1)
    assert [Path(p).name for p in images.paths] == ["000.png", "001.png"]
    assert labels.tolist() == [0, 1]
    assert task.split.val == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no column 'image', but none at all"),
        ("image,label", "has no rows"),
        ("file,label\nx,y", "has no column 'image', but file, label"),
        ("image,class\nx,y", "has no column 'label', but image, class"),
        ("image,label\ncat/000.png", "line 2 of .* has fewer fields"),
        ("image,label\ncat/000.png,cat,x", "line 2 of .* has more fields"),
        ("image,label\ncat/000.png, ", "line 2 of .* has no label"),
        ("image,label\n,cat", "line 2 of .* has no image"),
        (
            "image,label\ncat/000.png,cat\ncat/xyz.png,cat",
            "line 3 of .* names the image cat/xyz.png, which is not there",
        ),
        (
            "image,label,split\ncat/000.png,cat,tset",
            "line 2 of .* has the split 'tset', but it must be train, val or test",
        ),
        ("image,label\ncat/000.png,cat\ncat/000.png,dog", "line 3 of .* has the image cat/000.png, as line 2 has"),
        ("image,label,split\ncat/000.png,cat,train\ndog/000.png,dog,test", "'dog' in .* has no train images"),
    ],
)
def test_slips_in_a_table_name_the_line(pets, text, says):
    with pytest.raises(ValueError, match=says) as said:
        from_csv(table(pets, text))
    assert "\n" not in str(said.value)


def test_tables_that_are_none(pets):
    with pytest.raises(ValueError, match="there is no file"):
        from_csv(pets / "no.csv")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        from_csv(table(pets, "image,label\nkäfer.png,x", "latin-1"))

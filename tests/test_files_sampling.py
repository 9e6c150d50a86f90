"""Which images train, validate and test: the draws of the papers' code, and divisions of one's own."""

import random
import shutil
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from photos import PETS, album, photo

from vlprompt import tasks
from vlprompt.tasks import from_folder
from vlprompt.tasks.splits import Split, by_label, divide, few_shot


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path):
    return album(tmp_path / "my_pets", PETS)


GROUPS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@given(train=GROUPS, val=GROUPS, shots=st.integers(1, 6), seed=st.integers(0, 2**31 - 1))
def test_few_shot_draws_what_the_papers_code_draws(train, val, shots, seed):
    """By the global generator, as there: seeded once, the training list first, classes by first appearance."""
    parts = [[(f"{name}{i}", y) for i, y in enumerate(labels)] for name, labels in (("t", train), ("v", val))]
    state = random.getstate()
    random.seed(seed)
    wanted = []
    for items, k in zip(parts, (shots, min(shots, 4)), strict=True):
        tracker = {}
        for item in items:
            tracker.setdefault(item[1], []).append(item)
        chosen = [random.sample(group, k) if len(group) >= k else group for group in tracker.values()]
        wanted.append([path for group in chosen for path, _ in group])
    random.setstate(state)
    groups = few_shot(Split(*map(by_label, parts), {}), shots, seed)
    assert [[p for paths in g.values() for p in paths] for g in groups] == wanted
    assert random.getstate() == state


@given(
    copies=st.lists(st.integers(1, 9), min_size=3, max_size=30),
    shares=st.sampled_from([(0.5, 0.2, 0.3), (0.8, 0.2), (0.1, 0.1, 0.8)]),
    seed=st.integers(0, 99),
)
def test_a_division_loses_nothing_and_leaves_no_part_empty(copies, shares, seed):
    same = {f"{i}.{j}": i for i, count in enumerate(copies) for j in range(count)}
    parts = divide(list(same), shares, random.Random(seed), same)
    assert Counter(p for part in parts for p in part) == Counter(list(same))
    assert all(parts)
    for part in parts:
        for other in parts:
            assert part is other or not {same[p] for p in part} & {same[p] for p in other}
    singles = divide(list(same), shares, random.Random(seed))
    if len(same) >= 10:
        for part, share in zip(singles[:-1], shares[:-1], strict=True):
            assert len(part) == max(round(len(same) * share), 1)


def test_base_and_new_share_the_sample_of_the_whole(pets):
    task = from_folder(pets)
    base, new = task.base(), task.new()
    assert base.classnames + new.classnames == task.classnames
    (whole, labels), (images, own) = task.train(3, seed=5), new.train(3, seed=5)
    assert images.paths == tuple(p for p, y in zip(whole.paths, labels, strict=True) if y >= 2)
    assert own.tolist() == [int(y) - 2 for y in labels if y >= 2]
    assert task.train(3, seed=5)[0] == whole
    assert task.train(3, seed=6)[0] != whole
    assert len(task.train(64)[0]) == 20, "fewer than the shots: all of them"
    assert task.base() == base
    assert hash(task.base()) == hash(base)
    assert base != new
    assert task.domains() == {}


def test_halves_need_a_choice_in_each(tmp_path):
    task = from_folder(album(tmp_path / "x", {"a": 3, "b": 3, "c": 3}))
    for half in (task.base, task.new):
        with pytest.raises(ValueError, match=r"x has 3 classes, too few .* needs 4 or more; the few-shot"):
            half()


def test_validation_images_are_never_those_of_training(pets, tmp_path):
    task = from_folder(pets)
    assert not set(task.validation(16)[0].paths) & set(task.train(16)[0].paths)
    assert task.validation(16)[1].bincount().tolist() == [4, 1, 2, 1]
    root = album(tmp_path / "y", {f"{s}/{c}": 9 for s in ("train", "test") for c in ("a", "b")})
    shutil.rmtree(root / "test")
    album(root, {"test/a": 0, "test/b": 0})
    for c in ("a", "b"):
        photo(root / f"test/{c}/1.png", seed=ord(c))
    task = from_folder(root)
    for seed in range(4):
        images, labels = task.validation(6, seed)
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert not set(images.paths) & set(task.train(6, seed)[0].paths)
    with pytest.raises(ValueError, match="y has no validation images"):
        task.validation(9)


@pytest.mark.parametrize(("options", "says"), [({"shots": 0}, "shots must be"), ({"seed": -1}, "seed must be")])
def test_shots_and_seeds_are_checked(pets, options, says):
    with pytest.raises(ValueError, match=says):
        from_folder(pets).train(**options)


def test_load_takes_names_and_paths(pets, monkeypatch):
    assert tasks.load("plants").name == "plants"
    monkeypatch.chdir(pets.parent)
    assert tasks.load("my_pets").classnames == from_folder(pets).classnames
    with pytest.raises(ValueError, match="there is no folder"):
        tasks.load("my/pets")
    with pytest.raises(ValueError, match=r"no task is named 'plnts'; nearest: plants.*; or give the path of a folder"):
        tasks.load("plnts")

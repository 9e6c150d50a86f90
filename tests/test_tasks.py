"""Tasks: no drawing is on two sides, the same seed gives the same pixels, and splits are the papers'."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vlprompt import tasks
from vlprompt.tasks import emoji, scenes
from vlprompt.tasks.classes import positions, read_tasks, styles_on
from vlprompt.tasks.errors import DrawingsError
from vlprompt.tasks.sides import ROWS, SIDES, sides_of
from vlprompt.tasks.things import STYLES

NAMES = tasks.task_names()


@pytest.fixture(scope="module")
def world():
    return emoji.drawings()


def test_eleven_tasks_of_things_a_texture_and_three_structured_ones():
    groups = [tasks.load(name).group for name in NAMES]
    assert groups == ["natural"] * 11 + ["specialised"] + ["structured"] * 3
    for task in read_tasks().values():
        assert 20 <= len(task.classnames) <= 60
        assert list(task.classnames) == sorted(task.classnames, key=str.lower)
        assert task.template.count("{}") == 1
    things = [thing for task in read_tasks().values() for thing in task.things]
    assert len(things) == len(set(things)) == len(positions())


def test_the_table_of_sides_names_every_style_and_gives_every_row_a_side():
    assert set(SIDES) == set(STYLES)
    assert all(len(row) == ROWS and set(row) <= set("PTEeD") for row in SIDES.values())
    for style, row in SIDES.items():
        assert set(row) == {"D"} if "D" in row else True, style


def test_no_drawing_is_on_two_sides(world):
    for thing in positions():
        sides = {side: set(styles_on(world, thing, side)) for side in "PTED"}
        assert sum(len(s) for s in sides.values()) == len(set().union(*sides.values()))
        for side in "PTE":
            assert sides[side], f"{thing} has no drawing on side {side}"
        fluent = {side for side in "PTE" if sides[side] & {"fluent-emoji", "fluent-emoji-flat"}}
        assert len(fluent) <= 1, f"{thing}: one design, shaded and flat, on two sides"


def test_what_is_painted_comes_from_its_side_alone(world, monkeypatch):
    used = {}

    def spy(drawings, layout, generator, look=None):
        used[side] = used.get(side, set()) | {bytes(d.numpy()) for d in drawings.flatten(0, 1)}
        return torch.zeros(len(drawings), 3, 48, 48, dtype=torch.uint8)

    monkeypatch.setattr(emoji, "paint", spy)
    # The pixels of one artist's flag can be those of another's, so compare drawings that differ.
    for name in NAMES:
        if name == "flags":
            continue
        used.clear()
        for side in "TE":
            task = tasks.load(name)
            task.images("any", side, 30, 0)
        assert not used["T"] & used["E"], name


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_images_and_another_seed_others(name):
    task = tasks.load(name)
    images, labels = task.train(shots=2, seed=1)
    again, _ = task.train(shots=2, seed=1)
    other, _ = task.train(shots=2, seed=2)
    assert images.shape == (2 * len(task.classnames), 3, 48, 48)
    assert images.dtype == torch.uint8
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
    assert labels.bincount().tolist() == [2] * len(task.classnames)
    validation, _ = task.validation(shots=2, seed=1)
    assert not any((v == images).flatten(1).all(1).any() for v in validation)


@pytest.mark.parametrize("name", NAMES)
def test_base_and_new_are_the_halves_and_share_the_images_of_the_whole(name):
    task = tasks.load(name)
    base, new = task.base(), task.new()
    assert len(base.classnames) == math.ceil(len(task.classnames) / 2)
    assert base.classnames + new.classnames == task.classnames
    whole, labels = task.train(shots=1, seed=3)
    images, own = new.train(shots=1, seed=3)
    assert torch.equal(images, whole[labels >= len(base.classnames)])
    assert own.tolist() == list(range(len(new.classnames)))


def test_test_sets_are_fixed_and_large_enough():
    for name in NAMES:
        _, labels = tasks.load(name).test()
        assert len(labels) >= 500
        assert labels.bincount().min() >= 20


def test_a_style_kept_for_domain_generalisation_can_be_tested_on():
    task = tasks.load("mammals")
    outlined, _ = task.test("openmoji")
    plain, _ = task.test()
    assert outlined.shape == plain.shape
    assert not torch.equal(outlined, plain)
    with pytest.raises(ValueError, match="no style that is kept"):
        task.test("noto")


def test_every_texture_has_drawings_to_train_and_to_test_on(world):
    for style in emoji.TEXTURES:
        for side in "TE":
            assert sum(style in styles_on(world, thing, side) for thing in positions()) >= 20, (style, side)


def test_tasks_are_listed_before_there_are_images(monkeypatch, tmp_path):
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path))
    emoji.drawings.cache_clear()
    try:
        assert [tasks.load(name).name for name in NAMES] == NAMES
        with pytest.raises(DrawingsError, match="vlprompt data"):
            tasks.load("plants").train()
    finally:
        emoji.drawings.cache_clear()


def test_structured_tasks_show_what_they_ask_for(monkeypatch):
    seen = []
    monkeypatch.setattr(emoji, "paint", lambda d, layout, g: seen.append((d, layout)) or torch.zeros(len(d), 3, 48, 48))
    for label in range(6):
        emoji.paint_count(label, "T", 5, torch.Generator().manual_seed(label))
        drawings, layout = seen.pop()
        assert drawings.shape[:2] == layout.x.shape == (5, label + 1)
        assert (drawings == drawings[:, :1]).all()  # copies of one drawing
    for label, name in enumerate(emoji.PLACES):
        emoji.paint_place(label, "T", 50, torch.Generator().manual_seed(label))
        layout = seen.pop()[1]
        row, column = name.split()
        assert {"left": layout.x < -0.4, "centre": layout.x.abs() < 0.2, "right": layout.x > 0.4}[column].all()
        assert {"top": layout.y < -0.4, "middle": layout.y.abs() < 0.2, "bottom": layout.y > 0.4}[row].all()
    for label in range(5):
        emoji.paint_size(label, "T", 50, torch.Generator().manual_seed(label))
        low, high = list(emoji.SIZES.values())[label]
        assert ((seen[-1][1].scale >= low) & (seen.pop()[1].scale <= high)).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tasks.load("mamals"), "nearest: mammals"),
        (lambda: tasks.load("mammals").train(shots=0), "from 1 to 64, not 0"),
        (lambda: tasks.load("mammals").train(shots=65), "from 1 to 64, not 65"),
        (lambda: tasks.load("mammals").train(shots=2.0), "whole number"),
        (lambda: tasks.load("mammals").train(seed=-1), "seed must be"),
    ],
)
def test_slips_are_answered_with_what_would_do(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@given(batch=st.integers(1, 5), count=st.integers(1, 3), seed=st.integers(0, 1000))
def test_scenes_are_images_whatever_the_layout(batch, count, seed):
    generator = torch.Generator().manual_seed(seed)
    drawings = torch.randint(0, 256, (batch, count, 4, 48, 48), generator=generator, dtype=torch.uint8)
    layout = scenes.random_layout(batch, generator)
    many = {k: getattr(layout, k)[:, None].expand(-1, count) for k in ("scale", "x", "y", "angle")}
    images = scenes.paint(drawings, layout.at(**many), generator)
    assert images.shape == (batch, 3, 48, 48)
    assert images.dtype == torch.uint8


def test_a_drawing_lands_where_the_layout_says():
    white = torch.full((1, 1, 4, 48, 48), 255, dtype=torch.uint8)
    calm = scenes.Look(clutter=0, occlusion=0, light=0, noise=0)
    generator = torch.Generator().manual_seed(0)
    layout = scenes.random_layout(1, generator).at(
        scale=torch.tensor([0.25]), x=torch.tensor([0.5]), y=torch.tensor([-0.5]), angle=torch.tensor([0.0]),
        colour=torch.tensor([list(scenes.PALETTE).index("black")]), plain=torch.tensor([True]),
    )  # fmt: skip
    bright = (scenes.paint(white, layout, generator, calm)[0].float().mean(0) > 200).nonzero()
    assert bright.float().mean(0).tolist() == pytest.approx([11.5, 35.5], abs=0.6)  # rows above, columns right
    assert len(bright) == pytest.approx(12 * 12, rel=0.2)


def test_a_drawing_of_no_task_is_for_pretraining_unless_its_style_is_kept():
    assert sides_of(None, ["noto", "openmoji"]) == {"noto": "P", "openmoji": "D"}


def test_a_second_test_drawing_trains_where_the_first_exists():
    assert sides_of(2, ["noto", "emojione-v1"]) == {"noto": "E", "emojione-v1": "T"}
    assert sides_of(2, ["twemoji", "emojione-v1"]) == {"twemoji": "T", "emojione-v1": "E"}

"""The tasks of the emoji world: eleven of things, three structured ones and one of textures.

A task's images are scenes; which drawings they show is decided by `tasks/sides.py`, so that no drawing is on
two sides.
"""

from dataclasses import replace
from functools import cache

import torch
from torch import Generator, Tensor

from vlprompt.tasks.classes import positions, read_tasks, styles_on
from vlprompt.tasks.drawings import Drawings, load_drawings
from vlprompt.tasks.scenes import ROUGH, Layout, Look, paint, random_layout, uniform
from vlprompt.tasks.sides import DOMAIN, TEST
from vlprompt.tasks.task import Task, nearest
from vlprompt.tasks.things import STYLES

# The styles that have enough drawings both to train and to test on.
TEXTURES = ("emojione-v1", "fluent-emoji", "fluent-emoji-flat", "noto", "twemoji")
COUNTS = ("one", "two", "three", "four", "five", "six")
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
PLACES = tuple(f"{row} {column}" for row in ROWS for column in COLUMNS)
SIZES = {
    "tiny": (0.16, 0.22),
    "small": (0.28, 0.36),
    "medium": (0.42, 0.52),
    "large": (0.6, 0.72),
    "huge": (0.82, 0.98),
}
# Domains: the test drawings in other scenes, and styles that only ever test.
SCENES = {"true-colours": Look(hue=0.0), "rough-scenes": replace(ROUGH, hue=Look().hue)}
DOMAINS = (*SCENES, "openmoji", "fluent-emoji-high-contrast")


@cache
def drawings() -> Drawings:
    """The drawings, read once."""
    return load_drawings()


@cache
def rows_on(side: str) -> tuple[tuple[int, ...], ...]:
    """The drawings of every class of the eleven tasks on a side, for the tasks that are not about the thing."""
    world = drawings()
    rows = (tuple(world.rows[thing, s] for s in styles_on(world, thing, side)) for thing in positions())
    return tuple(r for r in rows if r)


def pick(rows: list[int], count: int, generator: Generator) -> Tensor:
    """`count` of some drawings, (count,), each used as often as the others: rounds in random order."""
    rounds = [torch.randperm(len(rows), generator=generator) for _ in range(-(-count // len(rows)))]
    return torch.tensor(rows)[torch.cat(rounds)[:count]]


def paint_thing(thing: str, side: str, count: int, generator: Generator) -> Tensor:
    """Scenes of one thing, by each of the artists on the side in turn; a domain is a side, too."""
    world = drawings()
    artists = artists_on(thing, side)
    if not artists:
        raise ValueError(f"{side} is no style that is kept for domain generalisation, or did not draw {thing}")
    rows = pick([world.rows[thing, s] for s in artists], count, generator)
    look = SCENES.get(side, Look())
    return paint(world.pixels[rows][:, None], random_layout(count, generator, look), generator, look)


def artists_on(thing: str, side: str) -> list[str]:
    """The styles whose drawings of a thing a side or a domain shows."""
    if side in STYLES:
        return [side] if side in styles_on(drawings(), thing, DOMAIN) else []
    return styles_on(drawings(), thing, TEST if side in SCENES else side)


def any_drawings(side: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Drawings of any class, (*shape, 4, 48, 48): a thing at random, then one of its artists."""
    things = rows_on(side)
    chosen = torch.randint(len(things), shape, generator=generator)
    turn = torch.rand(shape, generator=generator)
    rows = [things[t][int(u * len(things[t]))] for t, u in zip(chosen.flatten(), turn.flatten(), strict=True)]
    return drawings().pixels[rows].view(*shape, 4, 48, 48)


def paint_count(label: int, side: str, count: int, generator: Generator) -> Tensor:
    """How many: `label` + 1 copies of one drawing, in cells of a 3 x 3 grid."""
    copies = label + 1
    pictures = any_drawings(side, (count, 1), generator).expand(-1, copies, -1, -1, -1)
    cells = torch.stack([torch.randperm(9, generator=generator)[:copies] for _ in range(count)])  # (count, copies)
    x, y = (uniform((count, copies), -0.1, 0.1, generator) + (c - 1) * 0.62 for c in (cells % 3, cells // 3))
    scale = uniform((count, copies), 0.25, 0.32, generator)
    angle = uniform((count, copies), -0.4, 0.4, generator)
    return paint(pictures, with_places(count, generator, scale=scale, x=x, y=y, angle=angle), generator)


def paint_place(label: int, side: str, count: int, generator: Generator) -> Tensor:
    """Where: a small drawing in one of nine places."""
    x, y = (uniform((count,), -0.12, 0.12, generator) + (p - 1) * 0.6 for p in (label % 3, label // 3))
    scale = uniform((count,), 0.28, 0.42, generator)
    return paint(
        any_drawings(side, (count, 1), generator), with_places(count, generator, scale=scale, x=x, y=y), generator
    )


def paint_size(label: int, side: str, count: int, generator: Generator) -> Tensor:
    """How large: a drawing of one of five sizes, anywhere that it fits."""
    scale = uniform((count,), *list(SIZES.values())[label], generator)
    x, y = (uniform((count,), -1, 1, generator) * (1 - scale) for _ in range(2))
    return paint(
        any_drawings(side, (count, 1), generator), with_places(count, generator, scale=scale, x=x, y=y), generator
    )


def with_places(count: int, generator: Generator, **places: Tensor) -> Layout:
    """A random layout with its places set."""
    return random_layout(count, generator).at(**places)


def paint_style(label: int, side: str, count: int, generator: Generator) -> Tensor:
    """Which artist's style: a thing that this artist drew on this side."""
    style = TEXTURES[label]
    world = drawings()
    rows = [world.rows[thing, style] for thing in positions() if style in styles_on(world, thing, side)]
    chosen = torch.tensor(rows)[torch.randint(len(rows), (count,), generator=generator)]
    return paint(world.pixels[chosen][:, None], random_layout(count, generator), generator)


@cache
def thing_task(name: str) -> Task:
    """One of the eleven tasks of `tasks.toml`."""
    classes = read_tasks()[name]

    def painter(label, side, count, generator):
        return paint_thing(classes.things[label], side, count, generator)

    def drawn():
        labels = range(len(classes.things))
        return {d: tuple(i for i in labels if artists_on(classes.things[i], d)) for d in DOMAINS}

    task = make(name, classes.about, classes.template, classes.classnames, painter)
    return replace(task, drawn=drawn)


def make(name, about, template, classnames, painter, group="natural") -> Task:
    """A Task over all of its classes."""
    return Task(name, about, template, tuple(classnames), painter, tuple(range(len(classnames))), group)


def task_names() -> list[str]:
    """The eleven tasks of things, then textures and the three structured ones."""
    return [*read_tasks(), "textures", "how-many", "where", "how-large"]


def load(name: str) -> Task:
    """A task by its name. Raises ValueError with the nearest names for an unknown one."""
    if name in read_tasks():
        return thing_task(name)
    if name == "textures":
        styles = [STYLES[s] for s in TEXTURES]
        return make(name, "which artist's style", "a {} drawing of a thing.", styles, paint_style, "specialised")
    if name == "how-many":
        return make(name, "how many copies", "a photo of {} things.", COUNTS, paint_count, "structured")
    if name == "where":
        return make(name, "in which place", "a photo of a thing at the {}.", PLACES, paint_place, "structured")
    if name == "how-large":
        return make(name, "of what size", "a photo of a {} thing.", SIZES, paint_size, "structured")
    raise ValueError(nearest("task", name, task_names()))

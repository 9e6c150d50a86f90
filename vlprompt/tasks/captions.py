"""Captions for pretraining: what a scene shows, in the words of a thing's name, tags and kind.

A caption's other words are true of the scene (how large, where, on which colour, in whose style), so that they
come to mean something, and a template can be right or wrong.
"""

from random import Random

from vlprompt.tasks.classes import read_tasks
from vlprompt.tasks.scenes import PALETTE
from vlprompt.tasks.things import STYLES, Thing

PICTURES = ("photo", "photo", "photo", "picture", "image", "drawing", "emoji")
FRAMES = ("a {} of a {}", "a {} of a {}", "a {} of the {}", "this is a {} of a {}", "there is a {} of a {} here")
SIZES = ("small", "large")
PLACES = ("on the left", "on the right", "at the top", "at the bottom")
KIND = "{}, a type of {}"


def class_names() -> dict[str, str]:
    """The plain name of every thing that is a class: the name that tasks call it by."""
    return {thing: name for t in read_tasks().values() for thing, name in zip(t.things, t.classnames, strict=True)}


def name_of(thing: Thing, names: dict[str, str]) -> str:
    """What captions call a thing; a flag is `flag of Japan`."""
    name = names.get(thing.name, thing.name)
    return f"flag of {name}" if thing.kind == "flag" and "flag" not in name else name


def caption(
    thing: Thing, name: str, style: str, scale: float, x: float, y: float, colour: str | None, random: Random
) -> str:
    """One caption of a scene, of 5 to about 28 tokens. `colour` is None where the background has no one colour."""
    picture, frame = random.choice(PICTURES), random.choice(FRAMES)
    if random.random() < 0.1 and thing.tags:
        name = random.choice(thing.tags)
    if random.random() < 0.15 and not 0.62 < scale < 0.83:
        name = f"{SIZES[scale > 0.7]} {name}"
    if random.random() < 0.15:
        picture = f"{STYLES[style]} {picture}"
    text = frame.format(picture, name)
    if random.random() < 0.25:
        text = KIND.format(text, thing.kind)
    if random.random() < 0.2 and colour:
        text += f" on a {colour} background"
    elif random.random() < 0.15 and max(abs(x), abs(y)) > 0.2:
        text += " " + PLACES[(x > 0) if abs(x) > abs(y) else 2 + (y > 0)]
    if random.random() < 0.15 and thing.tags:
        text += ", " + ", ".join(random.sample(thing.tags, min(len(thing.tags), random.randint(1, 5))))
    return text + "." if random.random() < 0.9 else text


def all_words(things: list[Thing]) -> list[str]:
    """Every phrase that a caption can be made of, so that their tokens can be listed."""
    names = class_names()
    phrases = [*PICTURES, *FRAMES, *SIZES, *PLACES, KIND, *STYLES.values(), *PALETTE, " on a background, ."]
    for thing in things:
        name = name_of(thing, names)
        phrases += [name, f"{name}.", f"{name},", thing.kind, f"{thing.kind}.", thing.name]
        phrases += [end for tag in thing.tags for end in (tag, f"{tag}.", f"{tag},")]
    return phrases

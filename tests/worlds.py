"""A small world for tests: twelve things by three artists, each thing a square of its own colour."""

import json
from pathlib import Path

import torch

from vlprompt.tasks.drawings import SIZE, Drawings
from vlprompt.tasks.things import STYLES, Thing

NAMES = ("apple", "bus", "cat", "door", "egg", "fish", "goat", "hat", "iron", "jar", "key", "lamp")
ARTISTS = ("noto", "twemoji", "fluent-emoji")


def small_world() -> Drawings:
    """Drawings of things that are in no task, so that all of them are for pretraining."""
    things = tuple(Thing(f"{name} one", (name, "thing"), "object", dict.fromkeys(ARTISTS, name)) for name in NAMES)
    rows = {key: i for i, key in enumerate((t.name, s) for s in ARTISTS for t in things)}
    generator = torch.Generator().manual_seed(7)
    colours = torch.randint(0, 256, (len(things), 4, 1, 1), generator=generator).repeat(len(ARTISTS), 1, 1, 1)
    pixels = colours.expand(-1, -1, SIZE, SIZE).clone()
    pixels[:, 3] = 255
    return Drawings(things, pixels.to(torch.uint8), rows)


def write_packages(modules: Path, count: int = 3) -> None:
    """What npm would bring, with `count` things in every set."""
    words = [
        {"label": f"{name} one", "hexcode": f"1F6{i:02}", "tags": [name], "group": 7, "subgroup": 81}
        for i, name in enumerate(NAMES[:count])
    ]
    words.append({"label": "flag: Japan", "hexcode": "1F1EF-1F1F5", "group": 9, "subgroup": 98})
    write(modules / "emojibase-data/en/data.json", words)
    groups = {"groups": {"7": "objects", "9": "flags"}, "subgroups": {"81": "household", "98": "country-flag"}}
    write(modules / "emojibase-data/meta/groups.json", groups)
    for k, style in enumerate(STYLES):
        body = '<rect width="16" height="16" fill="#{:06x}"/>'
        icons = {f"{name}-one": {"body": body.format(40 * k + i)} for i, name in enumerate(NAMES[:count])}
        icons["flag-for-flag-japan" if style == "twemoji" else "flag-japan"] = {"body": body.format(0xFF0000 + k)}
        write(modules / f"@iconify-json/{style}/icons.json", {"icons": icons, "width": 16, "height": 16})


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))

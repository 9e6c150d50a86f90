"""What the drawings show: 1,900 things with their names, tags and kinds, and who drew each of them.

The names are emojibase's. A set's file is matched to a thing by the emoji's code point where the set says it,
and else by its name with the punctuation dropped; a few names that differ are listed in `ALSO`.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from vlprompt.tasks.packages import read_json

# The eleven sets, by the package that brings them, and what a caption calls their style.
STYLES = {
    "emojione": "emojione",
    "emojione-v1": "old emojione",
    "fluent-emoji": "shaded fluent",
    "fluent-emoji-flat": "flat fluent",
    "fluent-emoji-high-contrast": "black and white",
    "fxemoji": "firefox",
    "noto": "noto",
    "noto-v1": "old noto",
    "openmoji": "outlined",
    "streamline-emojis": "streamline",
    "twemoji": "twitter",
}

# What a caption calls the kind of a thing, by emojibase's group and, where that is too wide, its subgroup.
KINDS = {
    "smileys-emotion": "face", "people-body": "person", "animals-nature": "animal", "food-drink": "food",
    "travel-places": "place", "activities": "sport", "objects": "object", "symbols": "symbol", "flags": "flag",
    "cat-face": "animal", "monkey-face": "animal", "heart": "symbol", "emotion": "symbol",
    "plant-flower": "plant", "plant-other": "plant", "person-sport": "sport",
    "transport-ground": "vehicle", "transport-water": "vehicle", "transport-air": "vehicle",
    "sky-weather": "weather", "time": "object", "hotel": "object", "dishware": "object", "body-parts": "body part",
    "event": "object", "award-medal": "object", "arts-crafts": "object", "game": "game",
}  # fmt: skip

# Names that the plain rule misses: a set's name without punctuation -> emojibase's label likewise.
ALSO = {
    "bearface": "bear", "foxface": "fox", "lionface": "lion", "pandaface": "panda", "frogface": "frog",
    "koalaface": "koala", "hamsterface": "hamster", "robotface": "robot", "unicornface": "unicorn",
    "wolfface": "wolf", "directhit": "bullseye", "bicyclist": "personbiking", "aubergine": "eggplant",
    "bactriancamel": "twohumpcamel", "bath": "bathtub", "blackpushpin": "pushpin", "gamedice": "gamedie",
    "flagturkey": "flagturkiye", "fencer": "personfencing", "antennawithbars": "antennabars",
    "phoenixbird": "phoenix", "piata": "pinata",
}  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One thing: its name, other words for it, its kind, and by style the (set's) name of its drawing."""

    name: str
    tags: tuple[str, ...]
    kind: str
    drawings: dict[str, str]


def plain(name: str) -> str:
    """A name with accents, case and punctuation dropped, for matching only."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]", "", letters.replace("&", "and"))


def match_name(name: str, known: dict[str, str]) -> str | None:
    """The label in `known` (plain -> label) that a set's file name stands for, if any."""
    key = plain(name)
    tries = (
        key,
        re.sub("[0-9]$", "", key),  # streamline numbers its variants
        re.sub("^flagfor(flag)?", "flag", key),  # emojione: flag-for-japan; twemoji: flag-for-flag-japan
        re.sub("^(.+)flag$", r"flag\1", key),  # fxemoji: japanflag
    )
    tries = [ALSO.get(t, t) for t in tries]
    return next((known[t] for t in tries if t in known), None)


def read_things(modules: Path) -> list[Thing]:
    """All things that at least one set draws, in emojibase's order, from the packages in `modules`."""
    words = read_json(modules / "emojibase-data/en/data.json")
    groups = read_json(modules / "emojibase-data/meta/groups.json")
    words = [w for w in words if "group" in w and groups["groups"][str(w["group"])] != "component"]
    known = {plain(w["label"]): w["label"] for w in words}
    by_code = {w["hexcode"].lower().replace("-fe0f", ""): w["label"] for w in words}

    drawings = {w["label"]: {} for w in words}
    for style in STYLES:
        icons = read_json(modules / f"@iconify-json/{style}/icons.json")
        codes = modules / f"@iconify-json/{style}/chars.json"
        names = sorted(set(icons["icons"]) | set(icons.get("aliases", {})))
        matched = {
            by_code.get(c.replace("-fe0f", "")): n for c, n in (read_json(codes) if codes.exists() else {}).items()
        }
        matched |= {label: n for n in reversed(names) if (label := match_name(n, known)) and label not in matched}
        for label, name in matched.items():
            if label and name in names:
                drawings[label][style] = name

    def kind(word):
        group, sub = groups["groups"][str(word["group"])], groups["subgroups"][str(word["subgroup"])]
        return KINDS.get(sub, KINDS.get(group, "object"))

    return [
        Thing(w["label"].removeprefix("flag: "), tuple(w.get("tags", ())), kind(w), drawings[w["label"]])
        for w in words
        if drawings[w["label"]]
    ]

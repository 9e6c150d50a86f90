"""Who may see which drawing: the one table that keeps pretraining, training and testing apart.

A class of a task is a thing that up to nine sets drew; every set's drawing of it stands on one side:

    P   the small CLIP is pretrained on it (and on every drawing of the things that are in no task)
    T   tasks train (and validate) on it
    E   tasks test on it
    e   tasks test on it where nobody drew the E of this row, and train on it otherwise
    D   kept for domain generalisation: nobody trains on this style

Six rows take turns over a task's classes, so that the CLIP knows every hand but never the hand that drew the
class it is tested on. Newer things are drawn by fluent, noto and twemoji alone, flags by the two emojiones and
twemoji: in each row those three stand on three sides.
"""

from collections.abc import Iterable

PRETRAIN, TRAIN, TEST, DOMAIN, SECOND = "P", "T", "E", "D", "e"

# The two fluent sets show one design, shaded and flat, so they always stand together. Their black and white
# version traces it too, but is a style apart, like ImageNet-Sketch.
SIDES = {
    # row of a class:              012345
    "emojione":                   "PTPeTT",
    "emojione-v1":                "TPePee",
    "fluent-emoji":               "PTPETE",
    "fluent-emoji-flat":          "PTPETE",
    "fxemoji":                    "TPPPPP",
    "noto":                       "TPEPET",
    "noto-v1":                    "PTPTPP",
    "streamline-emojis":          "PPTPPP",
    "twemoji":                    "EETTPP",
    "fluent-emoji-high-contrast": "DDDDDD",
    "openmoji":                   "DDDDDD",
}  # fmt: skip

ROWS = 6


def sides_of(position: int | None, styles: Iterable[str]) -> dict[str, str]:
    """The side of each of a class's drawings, by style: P, T, E or D.

    `position` is that of the class in its task; None is a thing in no task, whose drawings are for pretraining.
    """
    if position is None:
        return {s: DOMAIN if SIDES[s][0] == DOMAIN else PRETRAIN for s in styles}
    sides = {s: SIDES[s][position % ROWS] for s in styles}
    second = TRAIN if TEST in sides.values() else TEST
    return {s: second if side == SECOND else side for s, side in sides.items()}

"""Who may see which drawing: the one table that keeps pretraining, training and testing apart.

A class of a task is a thing that up to eight artists drew; every artist's drawing of it stands on one side:

    P   the small CLIP is pretrained on it (and on every drawing of the things that are in no task)
    T   tasks train (and validate) on it
    E   tasks test on it
    D   kept for domain generalisation: nobody trains on this style

Six rows take turns over a task's classes, so that the CLIP knows every hand but never the hand that drew the
class it is tested on. Newer things are drawn by fluent, noto and twemoji alone, flags by the two emojiones and
twemoji: in each row those three stand on three sides.
"""

PRETRAIN, TRAIN, TEST, DOMAIN = "P", "T", "E", "D"

# The two fluent sets show one design, shaded and flat, so they always stand together. Their black and white
# version traces it too, but is a style apart, like ImageNet-Sketch.
SIDES = {
    # row of a class:              012345
    "emojione":                   "PTPETT",
    "emojione-v1":                "TPEPEE",
    "fluent-emoji":               "PTPETE",
    "fluent-emoji-flat":          "PTPETE",
    "fxemoji":                    "EPPPPP",
    "noto":                       "TPEPET",
    "noto-v1":                    "PEPTPP",
    "streamline-emojis":          "PPTPPP",
    "twemoji":                    "EETTPP",
    "fluent-emoji-high-contrast": "DDDDDD",
    "openmoji":                   "DDDDDD",
}  # fmt: skip

ROWS = 6


def side_of(position: int | None, style: str) -> str:
    """The side of the drawing in `style` of the class at `position` of its task (None: of a thing in no task)."""
    if position is None:
        return DOMAIN if SIDES[style][0] == DOMAIN else PRETRAIN
    return SIDES[style][position % ROWS]

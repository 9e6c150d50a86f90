"""A sheet for pictures, bars and words, measured in inches from its upper left corner.

It is one pair of axes, whatever stands on it: each further pair would take as long as forty words.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

HALF = 0.068  # of the height of a bar


def board(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches, and its sheet."""
    drawn = Figure(figsize=(width, height))
    sheet = drawn.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    sheet.axis("off")
    return drawn, sheet


def put_picture(sheet: Axes, pixels: np.ndarray, left: float, top: float, side: float) -> None:
    """A square picture, (H, W, 3) uint8 or floats from 0 to 1, each pixel a square."""
    place = (left, left + side, top + side, top)
    sheet.imshow(pixels, extent=place, aspect="auto", interpolation="nearest", resample=False)


def put_words(sheet: Axes, left: float, middle: float, words: str, **look) -> None:
    """A line of words; `ha="right"` lets it end at `left`. A dollar sign is a dollar sign."""
    sheet.text(left, middle, words, **({"va": "center", "fontsize": 8, "parse_math": False} | look))


def put_bars(
    sheet: Axes, left: float, middles: Sequence[float], shares: Sequence[float], whole: float, colour: str, **look
) -> None:
    """Bars from `left`, a share of 1 being `whole` inches long."""
    ends = left + whole * np.atleast_1d(shares)
    corners = [
        [(left, middle - HALF), (end, middle - HALF), (end, middle + HALF), (left, middle + HALF)]
        for middle, end in zip(np.atleast_1d(middles), ends, strict=True)
    ]
    sheet.add_collection(PolyCollection(corners, facecolor=colour, **look), autolim=False)

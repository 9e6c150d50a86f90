"""Figures: one message each, colours safe for colour-blind readers and never alone.

Every function returns the data that it drew, so that a test or a lesson can assert on it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Okabe and Ito's colours; the same thing has the same colour in every figure.
COLOURS = {
    "frozen": "#9aa5b1",
    "learned": "#d55e00",
    "base": "#0072b2",
    "new": "#e69f00",
    "harmonic_mean": "#009e73",
    "text": "#cc79a7",
    "vision": "#56b4e9",
}


def figure(width: float = 7.0, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes and no frame above and to the right."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    axes = drawn.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return drawn, axes


def plot_accuracies(rows: dict[str, dict[str, float | None]], title: str) -> tuple[Figure, dict]:
    """Bars of base, new and harmonic mean, in per cent, for each method; the number stands on each bar."""
    drawn, axes = figure(1.6 + 1.25 * len(rows), 3.8)
    splits = list(dict.fromkeys(split for row in rows.values() for split in row))
    width = 0.8 / len(splits)
    for k, split in enumerate(splits):
        at = [i + (k - (len(splits) - 1) / 2) * width for i in range(len(rows))]
        values = [row.get(split) for row in rows.values()]
        there = [(x, v) for x, v in zip(at, values, strict=True) if v is not None]
        bars = axes.bar(
            [x for x, _ in there], [v for _, v in there], width * 0.92,
            color=COLOURS.get(split, COLOURS["frozen"]), hatch=("", "//", "..")[k % 3], edgecolor="white",
            label=split.replace("_", " "),
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylim(0, 100)
    axes.set_ylabel("accuracy (%)")
    axes.set_title(title, loc="left")
    axes.legend(ncols=len(splits), loc="upper right", frameon=False)
    return drawn, rows


def show_images(
    images: Tensor, columns: int = 10, titles: Sequence[str] = (), size: float = 0.9
) -> tuple[Figure, np.ndarray]:
    """A sheet of images (N, 3, H, W) uint8, with an optional title over each."""
    rows = -(-len(images) // columns)
    drawn = Figure(figsize=(columns * size, rows * (size + (0.22 if titles else 0))), layout="constrained")
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    for i, axes in enumerate(drawn.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if i < len(pixels):
            axes.imshow(pixels[i], interpolation="nearest")
            if titles:
                axes.set_title(titles[i], fontsize=7, pad=2)
    return drawn, pixels


def save(drawn: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    from vlprompt.paths import replace_whole

    with replace_whole(Path(path)) as temporary:
        drawn.savefig(temporary, format="png", dpi=150)

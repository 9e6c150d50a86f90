"""Figures: one message each, colours safe for colour-blind readers and never alone.

Every function returns the data that it drew, so that a test or a lesson can assert on it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from torch import Tensor

from vlprompt.statistics import Interval

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
# A method's colour says where its prompts are, and its mark which method it is, in every figure.
MARKS = {
    "zero-shot": (COLOURS["frozen"], "o"),
    "linear-probe": ("black", "X"),
    "full-fine-tuning": ("black", "P"),
    "coop": (COLOURS["text"], "^"),
    "cocoop": (COLOURS["text"], "v"),
    "language-only": (COLOURS["text"], "<"),
    "vpt-shallow": (COLOURS["vision"], "p"),
    "vpt-deep": (COLOURS["vision"], "h"),
    "vision-only": (COLOURS["vision"], "s"),
    "independent-vl": ("#009e73", "D"),
    "maple": (COLOURS["learned"], "*"),
    "maple-shared": (COLOURS["learned"], "d"),
    "padding": ("#0072b2", ">"),
    "fixed-patch": ("#e69f00", "8"),
    "random-patch": ("#009e73", "H"),
}
# What is measured, where curves of one method are about it.
MEASURE_MARKS = {"base": (COLOURS["base"], "s"), "new": (COLOURS["new"], "o"), "H": (COLOURS["harmonic_mean"], "^")}


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


def plot_base_new(points: Mapping[str, tuple[Interval, Interval]], title: str) -> tuple[Figure, dict]:
    """Base against new accuracy, a mark each method with its intervals as bars; on a dotted curve H is the same.

    `points` holds (base, new) in per cent.
    """
    drawn, axes = figure(7.4, 4.6)
    for name, (base, new) in points.items():
        axes.errorbar(
            base.mean, new.mean, reach([new]), reach([base]), label=name, linestyle="", capsize=2, **style(name)
        )
    axes.margins(0.12)
    low_x, high_x, low_y, high_y = *axes.get_xlim(), *axes.get_ylim()
    base = np.linspace(max(low_x, 1), high_x, 200)
    for level in range(5, 100, 5):
        new = level * base / np.where(2 * base > level, 2 * base - level, np.nan)
        there = (new > low_y) & (new < high_y)
        if there.sum() > 1:
            axes.plot(base[there], new[there], color=COLOURS["frozen"], linestyle=":", linewidth=1, zorder=0)
            axes.annotate(f"H {level}", (base[there][-1], new[there][-1]), fontsize=7, color="#52606d")
    axes.set(xlim=(low_x, high_x), ylim=(low_y, high_y))
    axes.set_xlabel("accuracy on base classes (%)")
    axes.set_ylabel("accuracy on new classes (%)")
    axes.set_title(title, loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return drawn, dict(points)


def plot_curves(
    curves: Mapping[str, Mapping[int, Interval]],
    title: str,
    along: str,
    *,
    what: str = "accuracy (%)",
    levels: Mapping[str, Interval] | None = None,
    doubling: bool = False,
) -> tuple[Figure, dict]:
    """A curve each name over whole numbers `along`, with a band for the intervals; `levels` are dashed lines across.

    `doubling`: the same step from 1 to 2 as from 8 to 16.
    """
    drawn, axes = figure(7.4, 4.0)
    draw_curves(axes, curves, doubling)
    for (name, level), dash in zip((levels or {}).items(), ("--", ":", "-."), strict=False):
        axes.axhline(level.mean, color="black", linestyle=dash, linewidth=1, label=name)
    axes.set_xlabel(along)
    axes.set_ylabel(what)
    axes.set_title(title, loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return drawn, {name: dict(curve) for name, curve in curves.items()}


def draw_curves(
    axes: Axes,
    curves: Mapping[str, Mapping[int, Interval]],
    doubling: bool = False,
    places: Sequence[int] | None = None,
) -> None:
    """The curves of `plot_curves` with their bands, on axes of one's own; a tick at each of `places`, or of theirs."""
    places = sorted({x for curve in curves.values() for x in curve}) if places is None else places
    for name, curve in curves.items():
        at, values = list(curve), list(curve.values())
        axes.plot(at, [v.mean for v in values], label=name, **style(name))
        down, up = reach(values)
        means = np.array([v.mean for v in values])
        axes.fill_between(at, means - down, means + up, color=style(name)["color"], alpha=0.15, linewidth=0)
    if doubling:
        axes.set_xscale("log", base=2)
    axes.set_xticks(places, [str(x) for x in places])
    axes.minorticks_off()


def plot_surface(
    values: Mapping[tuple[int, int], float], title: str, what: str = "harmonic mean (%)"
) -> tuple[Figure, dict]:
    """A map of (depth J, length M) -> per cent, the number in each cell, a frame around the largest."""
    depths, lengths = (sorted({key[i] for key in values}) for i in (0, 1))
    drawn, axes = figure(1.9 + 0.75 * len(lengths), 1.3 + 0.34 * len(depths))
    image = draw_surface(axes, values, depths, lengths)
    axes.set_title(title, loc="left")
    drawn.colorbar(image, label=what)
    return drawn, dict(values)


def draw_surface(
    axes: Axes, values: Mapping[tuple[int, int], float], depths: Sequence[int], lengths: Sequence[int]
) -> AxesImage:
    """The map of `plot_surface` on axes of one's own; a place that has no value is hatched."""
    field = np.array([[values.get((j, m), np.nan) for m in lengths] for j in depths], dtype=float)
    image = axes.imshow(field, cmap="cividis", aspect="auto", origin="lower")
    middle = (min(values.values()) + max(values.values())) / 2 if values else 0.0
    for (row, column), value in np.ndenumerate(field):
        if np.isnan(value):
            axes.add_patch(frame(row, column, COLOURS["frozen"], hatch="////", linewidth=0))
        else:
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=colour)
    if values:
        row, column = np.unravel_index(np.nanargmax(field), field.shape)
        axes.add_patch(frame(row, column, COLOURS["learned"], linewidth=2.5))
    axes.set_xticks(range(len(lengths)), [str(m) for m in lengths])
    axes.set_yticks(range(len(depths)), [str(j) for j in depths])
    axes.set_xlabel("prompt tokens a layer, M")
    axes.set_ylabel("prompted layers, J")
    return image


def frame(row: int, column: int, colour: str, **look) -> Rectangle:
    """A frame around a cell of a surface."""
    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colour, **look)


def style(name: str) -> dict:
    """The colour and mark of a method; a variant of it, such as "coop, class-specific", has an empty mark."""
    method, *variant = name.split(", ")
    colour, mark = (MARKS | MEASURE_MARKS).get(method, ("black", "x"))
    size = 10 if mark == "*" else 7
    return {"color": colour, "marker": mark, "markersize": size, "markerfacecolor": "white" if variant else colour}


def reach(values: Sequence[Interval]) -> np.ndarray:
    """How far intervals go down and up from their means, (2, N); 0 where there is none."""
    ends = [(v.mean, v.mean) if v.low is None else (v.low, v.high) for v in values]
    return np.array([[v.mean - low, high - v.mean] for v, (low, high) in zip(values, ends, strict=True)]).T.clip(0)


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

"""The picture of the explorer: a surface of depth by length, and two curves through the point that is chosen.

It must follow a slider at once. So the surface, which a slider does not change, is kept as pixels, and everything has
its place given, since finding places takes matplotlib as long as drawing.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy import ndarray

from vlprompt.plots import COLOURS, draw_curves, draw_surface, style
from vlprompt.statistics import Interval
from vlprompt.widgets.known import MEASURES, Place, Runs

Curves = dict[str, dict[int, Interval]]
WIDE, HIGH, LEFT, DPI = 7.4, 4.9, 3.4, 100  # inches of the picture and of the surface in it, and pixels an inch
BOX = (0.165, 0.105, 0.815, 0.765)  # of the surface's axes in its part


def picture(
    runs: Mapping[Place, Runs],
    place: Place,
    measure: str,
    depths: Sequence[int],
    lengths: Sequence[int],
    title: str,
) -> tuple[Figure, dict]:
    """A measure ("base", "new" or "H") as a surface, and all three along both axes through `place`, in per cent.

    Bands go from the lowest to the highest seed. A dot in a cell: trained in a panel. Returns the figure, and what it
    shows: {"surface": {(J, M): per cent}, "depth": {measure: {J: Interval}}, "length": {measure: {M: Interval}}}.
    """
    surface = {at: found.measure(MEASURES[measure]).mean for at, found in runs.items()}
    here = tuple(at for at, found in runs.items() if found.here)
    drawn = Figure(figsize=(WIDE, HIGH), dpi=DPI)
    drawn.text(0.02, 0.955, title, fontsize=11)
    drawn.figimage(surface_pixels(tuple(surface.items()), here, measure, tuple(depths), tuple(lengths)), zorder=-1)
    mark_cell(drawn, place, depths, lengths)
    curves = [curves_through(runs, place, part) for part in (0, 1)]
    upper = draw_line(drawn, 0.585, curves[0], depths, "prompted layers, J", f"at M = {place[1]}")
    lower = draw_line(drawn, 0.105, curves[1], lengths, "prompt tokens a layer, M", f"at J = {place[0]}", upper)
    for part, axes in enumerate((upper, lower)):
        mark_point(axes, curves[part].get(measure, {}), place[part], measure)
    if found := [axes for axes, curve in zip((upper, lower), curves, strict=True) if curve]:
        drawn.legend(
            *found[0].get_legend_handles_labels(), ncols=3, loc="lower left", bbox_to_anchor=(0.53, 0.875),
            frameon=False, fontsize=8.5, borderaxespad=0,
        )  # fmt: skip
    return drawn, {"surface": surface, "depth": curves[0], "length": curves[1]}


def curves_through(runs: Mapping[Place, Runs], place: Place, part: int) -> Curves:
    """All measures along one axis through a place: part 0 is the depth, 1 the length."""
    line = sorted((at[part], at) for at in runs if at[1 - part] == place[1 - part])
    return {name: {x: runs[at].measure(what) for x, at in line} for name, what in MEASURES.items()} if line else {}


@lru_cache(maxsize=64)
def surface_pixels(
    surface: tuple[tuple[Place, float], ...],
    here: tuple[Place, ...],
    measure: str,
    depths: tuple[int, ...],
    lengths: tuple[int, ...],
) -> ndarray:
    """The surface with its axes, (H, W, 4) uint8; dots for the places that were trained `here`."""
    drawn = Figure(figsize=(LEFT, HIGH), dpi=DPI, facecolor="none")
    canvas = FigureCanvasAgg(drawn)
    axes = drawn.add_axes(BOX)
    draw_surface(axes, dict(surface), depths, lengths)
    axes.set_title(f"{measure} (%)", loc="left", fontsize=10)
    if here:
        dots = [(lengths.index(m) + 0.36, depths.index(j) + 0.28) for j, m in here]
        look = {"color": COLOURS["learned"], "markeredgecolor": "white", "linestyle": "", "marker": "o"}
        axes.plot(*zip(*dots, strict=True), **look, markersize=6, label="trained here")
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=8.5, borderpad=0.2)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def mark_cell(drawn: Figure, place: Place, depths: Sequence[int], lengths: Sequence[int]) -> None:
    """A double frame around the chosen cell, light and dark so that it is seen on any."""
    row, column = depths.index(place[0]), lengths.index(place[1])
    wide, high = BOX[2] * LEFT / WIDE / len(lengths), BOX[3] / len(depths)
    corner = BOX[0] * LEFT / WIDE + column * wide, BOX[1] + row * high
    for colour, width in (("white", 5), ("black", 2)):
        drawn.add_artist(Rectangle(corner, wide, high, fill=False, edgecolor=colour, linewidth=width))


def draw_line(
    drawn: Figure, bottom: float, curves: Curves, places: Sequence[int], along: str, at: str, same: Axes | None = None
) -> Axes:
    """The curves along one axis, with a tick at each place, missing or not; in per cent as the axes `same`."""
    axes = drawn.add_axes((0.55, bottom, 0.435, 0.28), sharey=same)
    axes.spines[["top", "right"]].set_visible(False)
    draw_curves(axes, curves, doubling=same is not None, places=places)
    axes.set_xlim(places[0] / 1.1, places[-1] * 1.1) if same else axes.set_xlim(places[0] - 0.4, places[-1] + 0.4)
    axes.tick_params(labelsize=8.5)
    axes.set_xlabel(along, fontsize=9)
    axes.set_ylabel("accuracy (%)", fontsize=9)
    axes.xaxis.set_label_coords(0.5, -0.19)
    axes.yaxis.set_label_coords(-0.11, 0.5)
    axes.text(1, 1.03, at, fontsize=9, ha="right", transform=axes.transAxes)
    return axes


def mark_point(axes: Axes, curve: Mapping[int, Interval], at: int, measure: str) -> None:
    """A line at the chosen place, and a ring on the curve of the measure that the surface shows."""
    axes.axvline(at, color=COLOURS["frozen"], linestyle=":", linewidth=1.2, zorder=0)
    if at in curve:
        ring = style(measure) | {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 2, "marker": "o"}
        axes.plot([at], [curve[at].mean], **ring)

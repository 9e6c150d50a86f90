"""Drawings of the course: the two towers and what a method adds to them, and who drew which picture.

Every lesson shows the same towers in the same colours, so that methods differ only where they differ. Like the
functions of `plots`, these return the data that they drew.
"""

from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from torch import Tensor

from vlprompt.plots import COLOURS
from vlprompt.tasks.classes import read_tasks
from vlprompt.tasks.emoji import drawings
from vlprompt.tasks.sides import sides_of as sides_of_class
from vlprompt.tasks.things import STYLES

HATCH = "////"  # what is learned is hatched, so that colour is never alone
WORDS = ("a", "photo", "of", "a")
TIES = ("", "coupling", "meta-net")


class Added(Protocol):
    """What `towers` needs to know of a method; `engine.Prompts` is one."""

    pixels: Tensor | None
    vision: Sequence  # one entry for each prompted layer
    text: Sequence


def towers(
    prompts: Added | None = None,
    *,
    title: str,
    image: Tensor | None = None,
    words: Sequence[str] | None = None,
    name: str = "[name]",
    tie: str = "",
    head: bool = False,
    layers: int = 12,
) -> tuple[Figure, dict]:
    """Draw CLIP's two towers, and in orange hatching what a method adds.

    `prompts` is a method's `prompts()`, or None. `tie`: "coupling" draws MaPLe's maps from text to vision prompts,
    "meta-net" CoCoOp's network. `head`: a learned linear head stands in the text tower's place. `image`
    (3, H, W) uint8 is what goes in. `words` stand before the name, "a photo of a" by default; a context of M vectors
    takes the place of the first M. ValueError for a tie that is not known, or prompts in more layers than there are.
    """
    if tie not in TIES:
        raise ValueError(f"tie={tie!r}; choose one of {TIES}")
    vision, text = (len(getattr(prompts, part, ())) for part in ("vision", "text"))
    if max(vision, text) > layers:
        raise ValueError(f"prompts in {max(vision, text)} layers, but the towers have {layers}")
    pixels = getattr(prompts, "pixels", None)
    drawn = Figure(figsize=(9, 5.6))
    axes = drawn.add_axes((0.005, 0.01, 0.99, 0.93), xlim=(0, 100), ylim=(0, 62))
    axes.axis("off")
    axes.set_title(title, loc="left", fontsize=12)
    top = 16 + 2.4 * layers

    draw_layers(axes, 6, "vision", "image tower", layers)
    draw_image(axes, image, pixels)
    for k in range(9):
        box(axes, 9.5 + 2.9 * k, 12.2, 2.2, 2.2, COLOURS["vision"] if k == 0 else "white", COLOURS["vision"])
    label(axes, 36.5, 13.2, "class token\n+ patches", size=7.5, align="left")
    arrow(axes, (22, 14.8), (22, 15.9))
    if head:
        box(axes, 62, 30, 30, 9, "white", COLOURS["learned"], hatch=HATCH)
        label(axes, 77, 34.5, "linear head", weight="bold", back=True)
        arrow(axes, (77, 39.2), (58, 53), bend=0.15)
    else:
        draw_layers(axes, 62, "text", "text tower", layers)
        length = prompts.text[0].shape[-2] if text else 0  # M
        draw_words(axes, words if words is not None else () if text else WORDS, name, length)
        arrow(axes, (78, 14.8), (78, 15.9))
        arrow(axes, (78, top), (58, 53), bend=0.15)
    arrow(axes, (22, top), (42, 53), bend=-0.15)
    label(axes, 15, top + 3.4, "one vector\nper image", size=8)
    if not head:
        label(axes, 85, top + 3.4, "one vector\nper class", size=8)

    for i in range(vision):
        y = 16.1 + 2.4 * i
        box(axes, 42.2, y, 3.4, 1.7, "white", COLOURS["learned"], hatch=HATCH)
        arrow(axes, (42.2, y + 0.85), (39, y + 0.85), size=6)
    for i in range(0 if tie == "coupling" else 1, text):  # the first layer's stand in the sentence
        y = 16.1 + 2.4 * i
        box(axes, 54.4, y, 3.4, 1.7, "white", COLOURS["learned"], hatch=HATCH)
        arrow(axes, (57.8, y + 0.85), (61, y + 0.85), size=6)
    if vision:
        draw_length(axes, 43.9, prompts.vision)
    if text > (tie != "coupling"):
        draw_length(axes, 56.1, prompts.text)
    if tie == "coupling":
        for i in range(min(vision, text)):
            arrow(axes, (54.2, 16.95 + 2.4 * i), (45.8, 16.95 + 2.4 * i), size=7, colour=COLOURS["learned"])
        label(axes, 50, 16.1 + 2.4 * min(vision, text) + 3.6, "coupling", size=8)
    if tie == "meta-net":
        box(axes, 43, 26, 14, 6, "white", COLOURS["learned"], hatch=HATCH)
        label(axes, 50, 29, "Meta-Net", weight="bold", back=True)
        arrow(axes, (31.5, 50.5), (48, 32.2), bend=-0.3)
        arrow(axes, (52, 25.8), (69.5, 14.7), bend=0.2, colour=COLOURS["learned"])

    box(axes, 42, 51, 16, 6, "white", "#333333")
    label(axes, 50, 54, "logits" if head else "scale × cosine", weight="bold")
    arrow(axes, (50, 57.2), (50, 59.2))
    label(axes, 50, 60.5, "softmax: a probability for each class", size=9)
    learned = {
        "pixels": pixels is not None,
        "vision layers": list(range(1, vision + 1)),
        "text layers": list(range(1, text + 1)),
        "tie": tie,
        "head": head,
    }
    draw_legend(axes, any(learned.values()))
    return drawn, learned


def draw_layers(axes: Axes, x: float, side: str, name: str, layers: int) -> None:
    """One tower: a grey bar for each layer with the side's colour at its edge, from the first at the bottom."""
    for i in range(layers):
        box(axes, x, 16.1 + 2.4 * i, 32, 1.7, COLOURS["frozen"], COLOURS[side])
    label(axes, x + 16, 16 + 1.2 * layers, f"{name}\n{layers} layers", weight="bold", back=True)


def draw_image(axes: Axes, image: Tensor | None, pixels: Tensor | None) -> None:
    """The image that goes in, and the numbers that are added to its pixels."""
    if image is not None:
        axes.imshow(image.permute(1, 2, 0).cpu().numpy(), extent=(9.5, 19, 0.6, 10.1), aspect="auto", zorder=3)
    box(axes, 9.5, 0.6, 9.5, 9.5, "none" if image is not None else "white", COLOURS["vision"], round_=0)
    if pixels is not None:
        on = pixels.detach().abs().sum(0) > 0  # (H, W) where something is added
        rows, columns = (on.any(1 - k).nonzero().flatten() for k in (0, 1))
        size = on.shape[0]
        if on[size // 2, size // 2] or bool(on.all()) or not bool(on[-1].any() and on[0].any()):
            high, wide = (9.5 * (int(r[-1]) - int(r[0]) + 1) / size for r in (rows, columns))
            left, up = (9.5 * int(r[0]) / size for r in (columns, rows))
            box(axes, 9.5 + left, 10.1 - up - high, wide, high, "none", COLOURS["learned"], hatch=HATCH, round_=0)
        else:
            width = 9.5 * int((~on[size // 2]).nonzero()[0]) / size
            for x, y, w, h in (
                (9.5, 0.6, 9.5, width),
                (9.5, 10.1 - width, 9.5, width),
                (9.5, 0.6, width, 9.5),
                (19 - width, 0.6, width, 9.5),
            ):
                box(axes, x, y, w, h, "none", COLOURS["learned"], hatch=HATCH, round_=0)
    arrow(axes, (14.2, 10.4), (14.2, 11.9))
    label(axes, 20.5, 5.2, "image", align="left")


def draw_words(axes: Axes, words: Sequence[str], name: str, learned: int) -> None:
    """The sentence, a box a token: learned vectors (of more than six, five and their number), words, name, end."""
    vectors = ["v"] * learned if learned <= 6 else [*"vvvvv", f"…{learned}"]
    sentence = ["start", *vectors, *words[learned:], name, ".", "end"]
    mine = [0 < k <= len(vectors) for k in range(len(sentence))]
    widths = [max(2.6, (0.5 if own else 1.0) + 0.95 * len(w)) for w, own in zip(sentence, mine, strict=True)]
    gap = 0.35
    x = 78 - (sum(widths) + gap * (len(widths) - 1)) / 2
    for word, width, own in zip(sentence, widths, mine, strict=True):
        fill = COLOURS["text"] if word == "end" else "white"
        edge = COLOURS["learned"] if own else COLOURS["text"]
        box(axes, x, 11.6, width, 2.9, fill, edge, hatch=HATCH if own else "")
        label(axes, x + width / 2, 13, word, size=7.5, back=own)
        x += width + gap
    label(axes, 78, 9.4, "a sentence for each class, read at its end token", size=8)


def draw_length(axes: Axes, x: float, layers: Sequence[Tensor]) -> None:
    """How many tokens each prompted layer gets, above the column of prompts."""
    many = layers[0].shape[-2]
    label(axes, x, 17.4 + 2.4 * len(layers), f"{many} token{'s' * (many > 1)}\na layer", size=7.5)


def draw_legend(axes: Axes, anything: bool) -> None:
    """What grey and orange mean."""
    box(axes, 40, 4.4, 3.4, 1.9, COLOURS["frozen"], "#555555")
    label(axes, 44.3, 5.3, "frozen", size=8.5, align="left")
    box(axes, 40, 1.2, 3.4, 1.9, "white", COLOURS["learned"], hatch=HATCH)
    label(axes, 44.3, 2.1, "learned" if anything else "learned: nothing here", size=8.5, align="left")


def box(axes, x, y, width, height, fill, edge, hatch="", round_=0.4) -> None:
    """A box with its lower left corner at (x, y)."""
    look = {"facecolor": fill, "edgecolor": edge, "hatch": hatch, "linewidth": 1.3, "zorder": 4}
    if round_:
        style = f"round,pad=0,rounding_size={round_}"
        axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, **look))
    else:
        axes.add_patch(Rectangle((x, y), width, height, **look))


def arrow(axes, start, end, bend=0.0, colour="#333333", size=10) -> None:
    """An arrow between two points."""
    path = f"arc3,rad={bend}"
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=size, connectionstyle=path, color=colour, shrinkA=0, shrinkB=0,
            zorder=5,
        )
    )  # fmt: skip


def label(axes, x, y, text, size=9, weight="normal", align="center", back=False) -> None:
    """Words, on a white ground where they stand on something."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9} if back else None
    axes.text(x, y, text, fontsize=size, weight=weight, ha=align, va="center", bbox=ground, zorder=6)


# ---- who drew what ------------------------------------------------------------------------------

# Side of a drawing -> what stands at its corner, its colour and its words.
SIDE_MARKS = {
    "P": (COLOURS["vision"], "the small CLIP is pretrained on it"),
    "T": (COLOURS["learned"], "tasks train on it"),
    "E": (COLOURS["harmonic_mean"], "tasks test on it"),
    "D": (COLOURS["frozen"], "kept away: a style that nobody trains on"),
}


def who_drew_what(task: str, classnames: Sequence[str]) -> tuple[Figure, dict[tuple[str, str], str]]:
    """A sheet with a row for each artist and a column for each class; letter and frame tell the drawing's side.

    The data are {(class name, style): side}, for the drawings that there are. ValueError for a class of another task.
    """
    listing, world, sides = read_tasks()[task], drawings(), sides_of(task)
    unknown = [name for name in classnames if name not in listing.classnames]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no class of {task}; its classes are {', '.join(listing.classnames)}")
    thing = dict(zip(listing.classnames, listing.things, strict=True))
    drawn = Figure(figsize=(1.9 + 0.72 * len(classnames), 0.72 * len(STYLES) + 1.3), layout="constrained")
    grid = drawn.subplots(len(STYLES), len(classnames), squeeze=False)
    for row, style in zip(grid, STYLES, strict=True):
        for axes, name in zip(row, classnames, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if (name, style) not in sides:
                continue
            side = sides[name, style]
            picture = world.pixels[world.rows[thing[name], style]].float() / 255
            alpha = picture[3:]
            axes.imshow((picture[:3] * alpha + 1 - alpha).permute(1, 2, 0).numpy())
            axes.spines[:].set(visible=True, color=SIDE_MARKS[side][0], linewidth=2)
            axes.text(
                0.97, 0.04, side, transform=axes.transAxes, ha="right", va="bottom", fontsize=7, weight="bold",
                color="white", bbox={"facecolor": SIDE_MARKS[side][0], "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        row[0].set_ylabel(STYLES[style], rotation=0, ha="right", va="center", fontsize=8.5)
    for axes, name in zip(grid[0], classnames, strict=True):
        axes.set_title(name, fontsize=8.5)
    marks = [
        Rectangle((0, 0), 1, 1, color=colour, label=f"{side}: {words}") for side, (colour, words) in SIDE_MARKS.items()
    ]
    drawn.legend(handles=marks, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return drawn, {key: side for key, side in sides.items() if key[0] in classnames}


def sides_of(task: str) -> dict[tuple[str, str], str]:
    """The side of every drawing of a task's classes: {(class name, style): side}."""
    listing, world = read_tasks()[task], drawings()
    return {
        (name, style): side
        for position, (name, thing) in enumerate(zip(listing.classnames, listing.things, strict=True))
        for style, side in sides_of_class(position, [s for s in STYLES if (thing, s) in world.rows]).items()
    }

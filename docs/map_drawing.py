"""The picture of the map: a small drawing of both towers for each method, in the colours of the lessons."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from vlprompt.drawing import HATCH, arrow, box, label
from vlprompt.plots import COLOURS

LAYERS, BAR, GAP = 12, 1.5, 0.5  # bars of a tower, their height and what lies between them
FLOOR = 13  # where the first layer stands
COLUMNS = 5


def draw_map(entries: Sequence[tuple[str, nn.Module, str]]) -> tuple[Figure, dict[str, dict]]:
    """A panel for each (name, method, formula); returns what each panel shows to be learned."""
    rows = -(-len(entries) // COLUMNS)
    drawn = Figure(figsize=(2.5 * COLUMNS, 2.75 * rows + 0.5), layout="constrained")
    shown = {}
    for axes, entry in zip(drawn.subplots(rows, COLUMNS, squeeze=False).flat, entries, strict=False):
        name, method, formula = entry
        axes.set(xlim=(0, 44), ylim=(0, 48))
        axes.axis("off")
        axes.set_title(f"{name}\n{formula}", fontsize=8.5)
        shown[name] = draw_panel(axes, method)
    for axes in drawn.axes[len(entries) :]:
        axes.remove()
    drawn.suptitle("What is learned (orange, hatched), and where it enters; all that is grey is frozen", fontsize=11)
    return drawn, shown


def draw_panel(axes: Axes, method: nn.Module) -> dict[str, object]:
    """One method's towers: the image's on the left, the text's on the right."""
    prompts, head, tuned = method.prompts(), hasattr(method, "head"), hasattr(method, "visual")
    vision, text = len(prompts.vision), len(prompts.text)
    each_class = text > 0 and prompts.text[0].ndim == 3
    maps, meta = len(getattr(method, "coupling", ())), hasattr(method, "meta_net")
    draw_tower(axes, 3, "vision", learned=tuned)
    draw_picture(axes, prompts.pixels)
    if head:
        box(axes, 27, 22, 14, 7, "white", COLOURS["learned"], hatch=HATCH)
        label(axes, 34, 25.5, "head", size=7, back=True)
    else:
        draw_tower(axes, 27, "text")
        draw_sentence(axes, prompts.text[0].shape[-2] if text else 0, 3 if each_class else 1)
    for i in range(vision):
        box(axes, 17.6, level(i), 1.8, BAR, "white", COLOURS["learned"], hatch=HATCH, round_=0.1)
    for i in range(0 if maps else 1, text):  # the first layer's stand in the sentence
        box(axes, 24.6, level(i), 1.8, BAR, "white", COLOURS["learned"], hatch=HATCH, round_=0.1)
    if maps > 1:
        for i in range(maps):
            arrow(axes, (24.4, level(i) + BAR / 2), (19.6, level(i) + BAR / 2), size=4, colour=COLOURS["learned"])
    elif maps:
        middle = level(vision) + 1.5
        box(axes, 19.5, middle, 5, 3, "white", COLOURS["learned"], hatch=HATCH)
        arrow(axes, (26, level(vision - 1) + BAR), (24.7, middle + 1.5), bend=0.3, size=4, colour=COLOURS["learned"])
        arrow(axes, (19.3, middle + 1.5), (18, level(vision - 1) + BAR), bend=0.3, size=4, colour=COLOURS["learned"])
    if meta:
        box(axes, 18.5, 22, 7, 5, "white", COLOURS["learned"], hatch=HATCH)
        label(axes, 22, 24.5, "Meta-Net", size=6, back=True)
        arrow(axes, (14, 37.5), (21, 27.2), bend=-0.3, size=5)
        arrow(axes, (22.5, 21.8), (27.5, 10.6), bend=0.2, size=5, colour=COLOURS["learned"])
    box(axes, 16.5, 43, 11, 4, "white", "#333333")
    label(axes, 22, 45, "logits", size=7)
    target, bend = ((29, 29.4), -0.3) if head else ((17.5, 42.8), -0.15)  # a head reads the image's features
    arrow(axes, (10, level(LAYERS)), target, bend=bend, size=5)
    arrow(axes, (34, 29.2 if head else level(LAYERS)), (26.5, 42.8), bend=0.15, size=5)
    return {
        "vision layers": vision,
        "text layers": text,
        "pixels": prompts.pixels is not None,
        "maps": maps,
        "Meta-Net": meta,
        "head": head,
        "tower": tuned,
        "a context for each class": each_class,
    }


def level(layer: int) -> float:
    """The lower edge of a layer's bar."""
    return FLOOR + layer * (BAR + GAP)


def draw_tower(axes: Axes, x: float, side: str, learned: bool = False) -> None:
    """Twelve bars, grey, or hatched where the tower's own weights learn."""
    for i in range(LAYERS):
        fill, edge = ("white", COLOURS["learned"]) if learned else (COLOURS["frozen"], COLOURS[side])
        box(axes, x, level(i), 14, BAR, fill, edge, hatch=HATCH if learned else "", round_=0.1)


def draw_picture(axes: Axes, pixels: Tensor | None) -> None:
    """The image below its tower, with what is added to its pixels."""
    box(axes, 5, 0.5, 10, 10, "white", COLOURS["vision"], round_=0)
    arrow(axes, (10, 10.7), (10, 12.8), size=4)
    if pixels is None:
        return
    on = (pixels.detach().abs().sum(0) > 0).float()  # (H, W)
    rows, columns = (on.amax(1 - k).nonzero().flatten() for k in (0, 1))
    size = on.shape[0]
    high, wide = (10 * (int(r[-1]) - int(r[0]) + 1) / size for r in (rows, columns))
    left, top = 10 * int(columns[0]) / size, 10 * int(rows[0]) / size
    box(axes, 5 + left, 10.5 - top - high, wide, high, "white", COLOURS["learned"], hatch=HATCH, round_=0)
    if on[size // 2, size // 2] == 0 and high == wide == 10:  # a frame
        inner = 10 * float((on[size // 2] == 0).float().mean())
        box(axes, 10 - inner / 2, 5.5 - inner / 2, inner, inner, "white", COLOURS["learned"], round_=0)


def draw_sentence(axes: Axes, learned: int, copies: int) -> None:
    """The sentence below its tower: context vectors, or words, and the name; one for each class if it has its own."""
    for k in range(copies):
        y = 8 - 3 * k
        for i in range(4):
            mine = i < learned
            edge = COLOURS["learned"] if mine else COLOURS["text"]
            box(axes, 27.3 + 2.2 * i, y, 1.7, 2.4, "white", edge, hatch=HATCH if mine else "", round_=0.1)
        box(axes, 36.2, y, 4.8, 2.4, "white", COLOURS["text"], round_=0.1)
    label(axes, 38.6, 9.2, "name", size=5.5)
    arrow(axes, (34, 10.7), (34, 12.8), size=4)

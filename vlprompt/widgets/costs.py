"""What prompts of a depth and length cost: how many numbers are learned, written out, and the arithmetic of a step."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import nn

from vlprompt import flops
from vlprompt.backbone import Backbone
from vlprompt.methods import METHODS
from vlprompt.points import Point


@dataclass(frozen=True)
class Term:
    """A part of what is learned: what it is, its formula in letters and in numbers, and the result."""

    what: str
    letters: str
    numbers: str
    count: int


def terms(method: str, depth: int, length: int, backbone: Backbone) -> list[Term]:
    """What a method learns with J layers of M tokens: for the four of `controls.BRANCHES`, as their classes state it.

    d_t and d_v are the widths of the text and the image tower. (MaPLe, sections 3.2 and 3.3.)
    """
    d_t, d_v = backbone.text_width, backbone.vision_width
    context = Term("context vectors, text tower", "J × M × d_t", f"{depth} × {length} × {d_t}", depth * length * d_t)
    tokens = Term("tokens, image tower", "J × M × d_v", f"{depth} × {length} × {d_v}", depth * length * d_v)
    coupling = Term(
        "coupling, a linear map a layer", "J × (d_t + 1) × d_v", f"{depth} × ({d_t} + 1) × {d_v}",
        depth * (d_t + 1) * d_v,
    )  # fmt: skip
    parts = {
        "vision-only": [tokens],
        "language-only": [context],
        "independent-vl": [context, tokens],
        "maple": [context, coupling],
    }
    return parts[method]


def formula(parts: Sequence[Term]) -> str:
    """The count in one line: letters, numbers, result."""
    letters, numbers = (" + ".join(getattr(part, side) for part in parts) for side in ("letters", "numbers"))
    return f"{letters} = {numbers} = {sum(part.count for part in parts):,}"


def made(point: Point, backbone: Backbone, classnames: Sequence[str]) -> nn.Module:
    """The method of a point before training, for some classes: what is drawn and counted is the real thing."""
    return METHODS[point.method](backbone, list(classnames), **point.method_options)


@lru_cache(maxsize=1024)
def step_flops(point: Point, backbone: Backbone, classnames: tuple[str, ...]) -> tuple[float, float]:
    """FLOPs that a training step cannot do without, in the text tower and in the image tower.

    A batch is the recipe's. Features of images that no prompt changes are kept, so that their tower costs nothing.
    """
    method = made(point, backbone, classnames)
    prompts = method.prompts()
    contexts, tokens = prompts.text, prompts.vision
    text = flops.text_needed(backbone, method.sentences, depth=max(len(contexts), 1), backward=bool(contexts))
    if method.keeps_image_features:
        return text, 0.0
    deep = {"depth": len(tokens), "length": len(tokens[0])}
    return text, flops.image_needed(backbone, point.plan.batch_size, **deep, backward=True)


def cost_table(parts: Sequence[Term], step: str) -> str:
    """The count and the cost of a step as an HTML table."""
    lines = [(part.what, subscripts(part.letters), part.numbers, f"{part.count:,}") for part in parts]
    lines.append(("learned in all", "", "", f"{sum(part.count for part in parts):,}"))
    body = "".join(f"<tr><th scope='row'>{a}</th><td>{b}</td><td>{c}</td><td>{d}</td></tr>" for a, b, c, d in lines)
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("what is learned", "formula", "in numbers", "count"))
    return (
        f"<table class='vlprompt-costs'><caption>{html.escape(step)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def subscripts(letters: str) -> str:
    return letters.replace("d_t", "d<sub>t</sub>").replace("d_v", "d<sub>v</sub>")

"""The map of the methods, `docs/methods.md`: its tables, and its picture, made from the methods themselves.

`python docs/make_methods.py` writes both anew; a test does the same and compares.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from map_drawing import draw_map
from torch import nn

from vlprompt import methods
from vlprompt.backbone import Backbone, load
from vlprompt.evaluate import keep_features
from vlprompt.flops import spent
from vlprompt.lesson import ROAD
from vlprompt.methods import METHODS, count
from vlprompt.paths import replace_whole
from vlprompt.plots import save

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- table {}: made by python docs/make_methods.py -->", "<!-- end of table {} -->"
NAMES = ["cat", "dog", "house", "tree", "boat", "river", "apple", "key"]
IMAGES = 16  # of the step that is counted


@dataclass(frozen=True)
class Entry:
    """A method on the map: how it is made, and what is said of it."""

    name: str
    make: Callable[..., nn.Module]
    learned: str
    enters: str
    tied: str
    formula: str  # of the numbers learned; `symbols` says what its letters are
    lesson: str
    file: str
    options: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)  # J and M, where there are any


def symbols(entry: Entry, backbone: Backbone, classes: int = 1) -> dict[str, int]:
    """What the letters of a formula are for a backbone and so many classes."""
    size = backbone.image_size
    return {
        "d_t": backbone.text_width,
        "d_v": backbone.vision_width,
        "E": backbone.embed_dim,
        "h": max(1, backbone.embed_dim // 16),
        "H": size,
        "p": round(30 / 224 * size),
        "C": classes,
        "V": sum(p.numel() for p in backbone.visual.parameters()),
        **entry.values,
    }


def numbers(entry: Entry, backbone: Backbone, classes: int = 1) -> int:
    """What an entry's formula gives. `·` multiplies, `²` squares."""
    text = entry.formula.replace("·", "*").replace("²", "**2")
    return int(eval(text, {"__builtins__": {}}, symbols(entry, backbone, classes)))


SENTENCE = "in place of the words before the name"
ENTRIES = (
    Entry("zero-shot CLIP", METHODS["zero-shot"], "nothing", "words, written by hand", "–", "0", "02", "zero_shot.py"),
    Entry(
        "linear probe", METHODS["linear-probe"], "a row of weights for each class", "behind the image tower",
        "–", "(E + 1)·C", "03", "linear_probe.py",
    ),
    Entry(
        "full fine-tuning", METHODS["full-fine-tuning"], "all weights of the image tower", "everywhere in it",
        "–", "V", "03", "full_fine_tuning.py",
    ),
    Entry(
        "VPT-shallow", METHODS["vpt-shallow"], "M tokens", "among the patches, before the first layer",
        "–", "M·d_v", "03", "vpt.py", values={"J": 1, "M": 8},
    ),
    Entry(
        "VPT-deep", METHODS["vpt-deep"], "M tokens for each of J layers", "among the patches, replaced in each layer",
        "not at all", "J·M·d_v", "03", "vpt.py", values={"J": 12, "M": 8},
    ),
    Entry(
        "padding", METHODS["padding"], "a frame of p pixels", "added to the image", "–", "12·p·(H - p)", "04",
        "pixel.py",
    ),
    Entry(
        "fixed patch", METHODS["fixed-patch"], "a square of p pixels", "added to the image, in its corner",
        "–", "3·p²", "04", "pixel.py",
    ),
    Entry(
        "random patch", METHODS["random-patch"], "a square of p pixels", "added to the image, anywhere",
        "–", "3·p²", "04", "pixel.py",
    ),
    Entry(
        "CoOp", METHODS["coop"], "M context vectors", SENTENCE, "one context for all classes", "M·d_t", "05",
        "coop.py", values={"J": 1, "M": 4},
    ),
    Entry(
        "CoOp, class-specific", methods.CoOp, "M context vectors for each class", SENTENCE, "not at all", "C·M·d_t",
        "05", "coop.py", options={"class_specific": True, "init": "a photo of a"}, values={"J": 1, "M": 4},
    ),
    Entry(
        "CoCoOp", METHODS["cocoop"], "M context vectors and Meta-Net", SENTENCE,
        "one shift for all vectors, made from the image's features", "M·d_t + (E + 1)·h + (h + 1)·d_t", "06",
        "cocoop.py", values={"J": 1, "M": 4},
    ),
    Entry(
        "language-only", METHODS["language-only"], "M context vectors for each of J layers",
        "in the sentence, replaced in each layer", "not at all", "J·M·d_t", "07", "language_only.py",
        values={"J": 12, "M": 4},
    ),
    Entry(
        "independent V-L", METHODS["independent-vl"], "M vectors and M tokens for each of J layers", "in both towers",
        "not at all", "J·M·(d_t + d_v)", "07", "independent_vl.py", values={"J": 12, "M": 2},
    ),
    Entry(
        "MaPLe", METHODS["maple"], "M vectors and a linear map for each of J layers", "in both towers",
        "each layer's tokens are its map of its vectors", "J·(M·d_t + (d_t + 1)·d_v)", "07", "maple.py",
        values={"J": 9, "M": 2},
    ),
    Entry(
        "MaPLe†", METHODS["maple-shared"], "M vectors for each of J layers, and one linear map", "in both towers",
        "all layers share the map", "J·M·d_t + (d_t + 1)·d_v", "07", "maple.py", values={"J": 9, "M": 2},
    ),
)  # fmt: skip


def step_flops(entry: Entry, backbone: Backbone) -> int:
    """FLOPs of a training step: 16 images, 8 classes, forward and backward; kept features where they can be kept."""
    method = entry.make(backbone, NAMES, **entry.options)
    size = backbone.image_size
    images = torch.randn(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0)).to(backbone.device)
    labels = torch.arange(IMAGES, device=backbone.device) % len(NAMES)
    shown = keep_features(method, images) if method.keeps_image_features else images

    def step() -> None:
        logits = method.classifier()(shown) if method.keeps_image_features else method(shown)
        if count(method):
            F.cross_entropy(logits, labels).backward()

    return spent(step)[1]


def takes_new_names(method: nn.Module) -> bool:
    try:
        method.with_classes(["other"])
    except ValueError:
        return False
    return True


def tables(tiny: Backbone, large: Backbone) -> dict[str, list[str]]:
    """The two tables of the page, as lines of Markdown."""
    what = [
        "| method | what is learned | where it enters | how it is tied | lesson | file |",
        "|---|---|---|---|---|---|",
    ]
    numbers_and_cost = [
        "| method | numbers learned | ViT-B/16 | small CLIP | J, M | features kept | new classes | a step |",
        "| --- | --- | ---: | ---: | --- | --- | --- | ---: |",
    ]
    for e in ENTRIES:
        file = f"[{e.file}](../vlprompt/methods/{e.file})"
        what.append(f"| {e.name} | {e.learned} | {e.enters} | {e.tied} | {lesson_link(e.lesson)} | {file} |")
        method = e.make(tiny, NAMES, **e.options)
        each = " a class" if "C" in e.formula else ""
        place = ", ".join(map(str, e.values.values())) or "–"
        cells = [
            e.name, f"`{e.formula}`", f"{numbers(e, large):,}{each}", f"{numbers(e, tiny):,}{each}", place,
            yes(method.keeps_image_features), yes(takes_new_names(method)), f"{step_flops(e, tiny) / 1e9:.2f}",
        ]  # fmt: skip
        numbers_and_cost.append(f"| {' | '.join(cells)} |")
    return {"1": what, "2": numbers_and_cost}


def lesson_link(number: str) -> str:
    """The link to a lesson's notebook, by its number."""
    name = next(name for name, _ in ROAD if name.startswith(number))
    return f"[{number}](../notebooks/{name}.ipynb)"


def yes(answer: bool) -> str:
    return "yes" if answer else "no"


def put_tables(text: str, made: dict[str, list[str]]) -> str:
    """A page with its tables replaced. ValueError where it has no place for one."""
    for number, lines in made.items():
        begin, end = BEGIN.format(number), END.format(number)
        if begin not in text or end not in text:
            raise ValueError(f"the page has no place for table {number}: {begin} … {end}")
        text = text.split(begin)[0] + "\n".join([begin, *lines, end]) + text.split(end)[1]
    return text


def main(arguments: Iterable[str] = ()) -> None:
    """Write the tables of `methods.md` and the picture `methods.png` in a folder, by default the repository's docs."""
    folder = Path(next(iter(arguments), DOCS))
    tiny = load("tiny", device="cpu")
    page = folder / "methods.md"
    text = put_tables(page.read_text(encoding="utf-8"), tables(tiny, load("ViT-B-16", pretrained="random")))
    with replace_whole(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    figure, _ = draw_map([(e.name, e.make(tiny, NAMES, **e.options), e.formula) for e in ENTRIES])
    save(figure, folder / "methods.png")


if __name__ == "__main__":
    main(sys.argv[1:])

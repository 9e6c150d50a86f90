"""The comparison of methods: what all of them say of one picture, how sure they are, and where they look."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, own_blocks, takes_vision_tokens
from vlprompt.evaluate import probabilities
from vlprompt.inspect import class_attention
from vlprompt.methods import METHODS
from vlprompt.plots import COLOURS
from vlprompt.recipes import recipe
from vlprompt.tasks import FileTask, Task
from vlprompt.train import fit
from vlprompt.widgets.board import board, put_bars, put_picture, put_words
from vlprompt.widgets.common import Panel, View
from vlprompt.widgets.gallery import RIGHT, WHOLE, WIDE, WRONG, Gallery, listed, table

FEW = ("zero-shot", "coop", "vision-only", "maple")  # trained by `train_few`: a prompt nowhere, in words, patches, both
MOST = 8  # methods that stand beside each other
CLASSES = 6  # in each column, at least
TOP = 0.65  # of the pictures, in inches


class Comparison:
    """The state behind the panel: what each method believes of each test picture, and where it looks."""

    def __init__(self, methods: Mapping[str, nn.Module], task: Task | FileTask):
        check(methods, task)
        self.methods = dict(methods)
        self.backbone: Backbone = next(iter(methods.values())).backbone
        self.gallery = Gallery.of(self.backbone, task)
        self.believed = {name: probabilities(method, self.gallery.images) for name, method in methods.items()}
        self.answers = torch.stack([p.argmax(dim=1) for p in self.believed.values()])  # (methods, N)
        self.seen = looked_at(self.backbone, methods)
        self.kept: dict[int, dict[str, Tensor]] = {}  # the attention on the pictures that were looked at

    def attention(self, place: int) -> dict[str, Tensor]:
        """Each method's attention of the class token on one picture, mean over heads: (L, 1 + N + M)."""
        if place not in self.kept:
            image, found = self.gallery.image(place), {}
            for tower, prompts in self.seen.values():
                if id(prompts) not in found:  # methods without prompts in the image tower share one
                    found[id(prompts)] = class_attention(tower, image, prompts)[:, 0].mean(dim=1)
            self.kept[place] = {name: found[id(prompts)] for name, (_, prompts) in self.seen.items()}
        return self.kept[place]

    def draw(self, name: str, number: int, layer: int) -> View:
        """The view of a class's n-th picture and the attention in a layer."""
        place = self.gallery.place(name, number)
        shown = self.classes(place)
        below = table(
            f"Probabilities of this picture (%), which shows: {name}",
            ["class", *self.methods],
            [(self.gallery.classnames[c], *(100 * float(p[place, c]) for p in self.believed.values())) for c in shown],
        )
        return View(self.figure(place, shown, layer), self.words(place, layer), below)

    def classes(self, place: int) -> list[int]:
        """The classes in the columns: the right one, each method's answer, and the likeliest of the others."""
        label = int(self.gallery.labels[place])
        mean = torch.stack([p[place] for p in self.believed.values()]).mean(dim=0)
        asked = dict.fromkeys([label, *self.answers[:, place].tolist()])
        chosen = list(dict.fromkeys([*asked, *mean.argsort(descending=True).tolist()]))[: max(CLASSES, len(asked))]
        return [label, *sorted((c for c in chosen if c != label), key=lambda c: -float(mean[c]))]

    def words(self, place: int, layer: int) -> str:
        """The figure in sentences."""
        names, label = self.gallery.classnames, int(self.gallery.labels[place])
        answers = dict(zip(self.methods, self.answers[:, place].tolist(), strict=True))
        right = [name for name, answer in answers.items() if answer == label]
        wrong = [
            f"{name} says {names[answer]} ({100 * self.believed[name][place, answer]:.0f} %)"
            for name, answer in answers.items()
            if answer != label
        ]
        said = f"The picture shows {names[label]}. Right: {listed(right) if right else 'none'}."
        said += f" Wrong: {listed(wrong)}." if wrong else ""
        if not self.seen:
            return f"{said} Where this image tower looks is not known."
        looks = self.attention(place).items()
        parts = [f"{name} {100 * float(attention[layer - 1, self.patches].sum()):.0f} %" for name, attention in looks]
        return f"{said} In layer {layer} the class token gives to the patches: {listed(parts)}."

    @property
    def patches(self) -> slice:
        """Where the patches stand among the tokens."""
        return slice(1, 1 + (self.backbone.image_size // self.backbone.patch_size) ** 2)

    def figure(self, place: int, shown: Sequence[int], layer: int) -> Figure:
        """The picture and, a column each, where the methods look and what they believe."""
        drawn, sheet = board(8.4, 4.25)
        scene = self.gallery.scene(place).permute(1, 2, 0).numpy()
        right = int((self.answers[:, place] == shown[0]).sum())
        title = f"{self.gallery.classnames[shown[0]]}: {right} of {len(self.methods)} methods are right"
        put_words(sheet, 0.1, 0.2, title, fontsize=12)
        put_words(sheet, 0.1, 0.5, "the picture")
        put_picture(sheet, scene, 0.1, TOP, 1.1)
        column = 7.0 / len(self.methods)  # inches
        lefts = [1.36 + k * column for k in range(len(self.methods))]
        if self.seen:
            put_words(sheet, lefts[0], 0.5, f"where the class token looks in layer {layer}")
            for left, attention in zip(lefts, self.attention(place).values(), strict=True):
                self.look(sheet, left, min(1.1, 0.9 * column), scene, attention[layer - 1])
        rows = 2.8 + 0.21 * np.arange(len(shown))
        put_words(sheet, lefts[0] - 0.06, 2.54, "probability (%)", ha="right")
        for row, c in zip(rows, shown, strict=True):
            weight = "bold" if row == rows[0] else "normal"
            put_words(sheet, lefts[0] - 0.06, row, self.gallery.classnames[c], ha="right", weight=weight)
        for left, name, answer in zip(lefts, self.methods, self.answers[:, place].tolist(), strict=True):
            verdict = f"{RIGHT} right" if answer == shown[0] else f"{WRONG} wrong"
            put_words(sheet, left, 2.34, name, weight="bold", fontsize=9 if len(lefts) < 6 else 7.5)
            put_words(sheet, left, 2.54, verdict, weight="bold")
            self.bars(sheet, left, 0.6 * column, rows, shown, self.believed[name][place, shown], shown.index(answer))
        sheet.vlines(lefts, rows[0] - 0.12, rows[-1] + 0.12, color="black", linewidth=0.8)
        return drawn

    def look(self, sheet: Axes, left: float, side: float, scene: np.ndarray, attention: Tensor) -> None:
        """The picture, dark where a class token does not look, and what goes to the patches and to the prompts."""
        patches, prompts = attention[self.patches].cpu().numpy(), float(attention[self.patches.stop :].sum())
        put_picture(sheet, dimmed(scene, patches), left, TOP, side)
        said = f"patches {100 * patches.sum():.0f} %" + (f"\nprompts {100 * prompts:.0f} %" if prompts else "")
        put_words(sheet, left, TOP + 0.05 + side, said, va="top", fontsize=7.5)

    def bars(
        self,
        sheet: Axes,
        left: float,
        whole: float,
        rows: np.ndarray,
        shown: Sequence[int],
        values: Tensor,
        answer: int,
    ) -> None:
        """What a method believes; the right class stands first, and the answer bears a mark."""
        put_bars(sheet, left, rows[1:], values[1:], whole, COLOURS["frozen"])
        put_bars(sheet, left, rows[:1], values[:1], whole, COLOURS["base"])
        if answer:
            put_bars(
                sheet, left, rows[answer], values[answer], whole, COLOURS["learned"], hatch="////", edgecolor="white"
            )
        for k, (row, value) in enumerate(zip(rows, values.tolist(), strict=True)):
            mark = "" if k != answer else WRONG if answer else RIGHT
            weight = "bold" if mark else "normal"
            put_words(sheet, left + whole * value + 0.04, row, f"{100 * value:.0f} {mark}", weight=weight)

    def disagreement(self, after: int) -> int | None:
        """The next picture, after one and around, that some methods name right and others wrong."""
        right = self.answers == self.gallery.labels  # (methods, N)
        places = (right.any(dim=0) & ~right.all(dim=0)).nonzero().flatten().tolist()
        return next((place for place in places if place > after), places[0] if places else None)


def looked_at(backbone: Backbone, methods: Mapping[str, nn.Module]) -> dict[str, tuple[Backbone, Prompts]]:
    """The image tower of each method and its prompts there; nothing if the attention of such towers is not known."""
    if not takes_vision_tokens(backbone) or not own_blocks(backbone.visual):
        return {}
    plain, found = Prompts(), {}
    for name, method in methods.items():
        with torch.no_grad():
            prompts = method.prompts()
        if hasattr(method, "visual"):  # a tower of its own, fine-tuned
            found[name] = replace(backbone, visual=method.visual), Prompts()
        elif prompts.vision or prompts.pixels is not None:
            found[name] = backbone, Prompts(pixels=prompts.pixels, vision=prompts.vision)
        else:
            found[name] = backbone, plain
    return found


def dimmed(scene: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """A scene (H, W, 3) of 0 to 255, each patch as bright as its share of the attention (N,), the largest as it is."""
    side, height = math.isqrt(len(attention)), len(scene)
    light = (attention / attention.max()).reshape(side, side)
    at = np.arange(height) * side // height  # the patch of each row and column of pixels
    return scene / 255 * light[at][:, at, None]


def check(methods: Mapping[str, nn.Module], task: Task | FileTask) -> None:
    """ValueError unless there are methods, not too many, of one backbone, and of this task's classes."""
    if not methods:
        raise ValueError(
            "there are no methods to compare: give trained ones by name, {'MaPLe': method}, or those that "
            "train_few(backbone, task) trains in seconds"
        )
    if len(methods) > MOST:
        raise ValueError(f"{len(methods)} methods do not fit beside each other: give {MOST} at most")
    backbones = {id(method.backbone) for method in methods.values()}
    if len(backbones) > 1:
        raise ValueError("the methods stand on different backbones: compare those of one")
    for name, method in methods.items():
        wanted = [n.replace("_", " ") for n in task.classnames]
        if list(method.classnames) != wanted:
            raise ValueError(
                f"{name} knows {len(method.classnames)} classes from {method.classnames[0]!r} on, {task.name} has "
                f"{len(wanted)} from {wanted[0]!r} on: give method.with_classes(task.classnames), or the task of its "
                "training (task.base())"
            )


def train_few(
    backbone: Backbone, task: Task | FileTask, names: Sequence[str] = FEW, *, shots: int = 4, seed: int = 1
) -> dict[str, nn.Module]:
    """Some methods by their command-line names, trained by the small CLIP's recipes on a few pictures a class.

    For the panel, in seconds; for numbers that mean something train with more shots. An unknown name is a ValueError.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ValueError(f"there is no method {unknown[0]!r}; they are {', '.join(METHODS)}")
    scenes, labels = task.train(shots, seed)
    images, trained = backbone.prepare(scenes), {}
    for name in names:
        own = {"templates": task.template} if name == "zero-shot" else {"seed": seed}
        trained[name] = METHODS[name](backbone, task.classnames, **own)
        fit(trained[name], images, labels, recipe(name, "tiny"), seed=seed, progress=False)
    return trained


def compare_methods(methods: Mapping[str, nn.Module], task: Task | FileTask) -> Panel:
    """The comparison of methods: what each of them says of one test picture, how surely, and where it looks.

    `methods` by the names to show, up to eight, all for the task's classes and on one backbone: trained ones, or those
    of `train_few`. Each is asked about all test pictures once. ValueError for none, and for methods of other classes.
    """
    state = Comparison(methods, task)
    gallery = state.gallery
    layers = max(1, state.backbone.vision_layers)
    controls = {
        "name": gallery.choose_class(),
        "number": gallery.choose_number(),
        "layer": widgets.IntSlider(
            value=layers, min=1, max=layers, description="Attention in layer", continuous_update=False, style=WHOLE,
            tooltip="Of which layer of the image tower the attention is shown", layout=WIDE,
        ),
    }  # fmt: skip
    button = widgets.Button(
        description="Next picture that they disagree on", layout={"width": "max-content"},
        tooltip="Show the next test picture that some methods name right and others wrong",
    )  # fmt: skip
    panel = Panel("Comparison of methods", controls, state.draw, extra=[button])

    def go_on(_button: widgets.Button) -> None:
        here = gallery.place(controls["name"].value, controls["number"].value)
        panel.set(**dict(zip(("name", "number"), gallery.name_and_number(state.disagreement(here)), strict=True)))

    button.disabled = state.disagreement(-1) is None
    button.on_click(go_on)
    return panel

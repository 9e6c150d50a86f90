"""The viewer of prompts in pixels: a picture, a frame or a patch, both together, and what the network makes of it."""

from collections.abc import Iterable

import ipywidgets as widgets
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, encode_image
from vlprompt.evaluate import accuracy, keep_features
from vlprompt.experiments.pixels import SIZE
from vlprompt.inspect import frame_pictures
from vlprompt.methods import ZeroShot, count
from vlprompt.methods.pixel import SHARE, TEMPLATE
from vlprompt.plots import COLOURS, draw_curves, style
from vlprompt.points import Point
from vlprompt.tasks import FileTask, Task
from vlprompt.widgets.board import board, put_picture, put_words
from vlprompt.widgets.common import Panel, View
from vlprompt.widgets.gallery import RIGHT, WHOLE, WIDE, WRONG, Gallery, table
from vlprompt.widgets.patches import Levels, Patches, Place, pixels_of, stored_levels
from vlprompt.widgets.training import Training

KINDS = {"a frame (padding)": "padding", "a fixed patch": "fixed-patch", "a random patch": "random-patch"}
TITLES = "the picture", "+ the prompt (at half its strength)", "= what the network sees"

Answer = tuple[str, float]  # the class that is likeliest, and how likely it is, in per cent


class Frames:
    """What the panel knows, and what it makes of the values of its controls."""

    def __init__(self, gallery: Gallery, patches: Patches, levels: Levels, features: Tensor | None):
        self.gallery, self.patches, self.levels, self.backbone = gallery, patches, levels, gallery.backbone
        self.zero_shot = ZeroShot(self.backbone, gallery.classnames, templates=TEMPLATE)
        features = keep_features(self.zero_shot, gallery.images) if features is None else features
        self.without = accuracy(self.zero_shot, features, gallery.labels)  # a prompt, in per cent

    def draw(self, kind: str, size: int, name: str, number: int) -> View:
        """The view of a kind and size of prompt on a class's n-th picture."""
        place, i = (kind, size), self.gallery.place(name, number)
        method = self.patches.prompt(place)
        pixels = pixels_of(method, i)
        before, after = self.answer(self.zero_shot, i, None), self.answer(method, i, pixels)
        words = (
            f"{self.about(place)} The picture shows {name}: without the prompt the CLIP says {before[0]} "
            f"({before[1]:.0f} %), with it {after[0]} ({after[1]:.0f} %). {self.of_all(place)}"
        )
        return View(self.figure(place, i, pixels, {0: before, 2: after}), words, self.known())

    @torch.no_grad()
    def answer(self, method: nn.Module, i: int, pixels: Tensor | None) -> Answer:
        """What a method says of a picture with these pixels added."""
        features = F.normalize(encode_image(self.backbone, self.gallery.image(i), Prompts(pixels=pixels)), dim=-1)
        sure, answer = method.classifier()(features).softmax(dim=-1)[0].max(dim=0)
        return self.gallery.classnames[int(answer)], 100 * float(sure)

    def about(self, place: Place) -> str:
        """What kind of prompt it is, and whether it is trained."""
        kind, size = place
        how = "trained" if place in self.patches.trained else "not trained: its numbers are noise"
        numbers = count(self.patches.prompt(place))
        return f"{kind.replace('-', ' ').capitalize()}, {size} pixels, {numbers:,} numbers, {how}."

    def of_all(self, place: Place) -> str:
        """The accuracies on all test pictures, and what is missing."""
        kind, size = place
        found, runs = self.patches.found.get(place), self.levels.get(kind, {})
        said = [f"Of all test pictures {self.without:.1f} % are named right without a prompt"]
        if found:
            said.append(f"{found.accuracy:.1f} % with this one")
        if found and found.noise is not None:
            said.append(f"{found.noise:.1f} % with its noise before the training")
        if size in runs:
            said.append(f"{runs[size].mean:.1f} % with trained ones of this size in the stored runs")
        missing = "" if runs else " No stored runs fit this task, these weights and these shots."
        missing += "" if found else " Train here trains this one and measures it."
        return f"{', '.join(said)}.{missing}"

    def known(self) -> str:
        """All accuracies of trained prompts that are known, as a table in HTML."""
        stored = {kind: {size: level.mean for size, level in self.levels.get(kind, {}).items()} for kind in SIZE}
        here = {kind: {size: f.accuracy for (k, size), f in self.patches.found.items() if k == kind} for kind in SIZE}
        sizes = sorted({size for part in (stored, here) for line in part.values() for size in line})
        rows = [
            (f"{kind.replace('-', ' ')}, {source}", *(line.get(size, "–") for size in sizes))
            for kind in SIZE
            for source, line in (("stored runs", stored[kind]), ("here", here[kind]))
            if line
        ]
        caption = "Accuracy on all test pictures (%) of trained prompts, by their size in pixels"
        return table(caption, ["prompt", *map(str, sizes)], rows) if rows else ""

    def figure(self, place: Place, i: int, pixels: Tensor, answers: dict[int, Answer]) -> Figure:
        """The three pictures with what is said of them, and below the accuracy by size."""
        drawn, sheet = board(8.0, 4.9)
        pictures = frame_pictures(self.backbone, self.gallery.scene(i), pixels)
        true, left = self.gallery.classnames[int(self.gallery.labels[i])], (0.15, 2.85, 5.55)
        for k, picture in enumerate(pictures.values()):
            put_words(sheet, left[k], 0.2, TITLES[k], fontsize=9)
            put_picture(sheet, picture, left[k], 0.36, 1.95)
        for k, (answer, sure) in answers.items():
            mark = f"{RIGHT} right" if answer == true else f"{WRONG} wrong"
            put_words(sheet, left[k], 2.5, f"{mark}: {answer}, {sure:.0f} %", fontsize=9, weight="bold")
        trained = "trained" if place in self.patches.trained else "not trained: noise"
        numbers = count(self.patches.prompt(place))
        put_words(sheet, left[1], 2.5, f"{numbers:,} numbers, {trained}", fontsize=9)
        self.accuracies(drawn.add_axes((0.075, 0.095, 0.62, 0.33)), place[1])
        return drawn

    def accuracies(self, axes: Axes, size: int) -> None:
        """Accuracy by size: stored runs as curves with intervals, what was trained here as stars, zero-shot across."""
        draw_curves(axes, {kind: line for kind, line in self.levels.items() if kind in SIZE})
        axes.axhline(self.without, color="black", linestyle="--", linewidth=1, label="zero-shot")
        axes.axvline(size, color=COLOURS["frozen"], linewidth=5, alpha=0.45, zorder=0, label="this size")
        for k, ((kind, at), found) in enumerate(self.patches.found.items()):
            label = "" if k else "trained here, or given"
            look = {"color": style(kind)["color"], "markeredgecolor": "black", "linestyle": ""}
            axes.plot(at, found.accuracy, marker="*", markersize=13, label=label, **look)
        most = self.backbone.image_size // 2
        axes.set_xlim(0, most + 1)
        ticks = range(0, most + 1, max(1, most // 12))
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_ylim(0, 1.2 * axes.dataLim.y1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.set_xlabel("width of the frame, or side of the patch (pixels)", fontsize=8.5)
        axes.set_ylabel("accuracy (%)", fontsize=8.5)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8.5)


def view_pixels(
    backbone: Backbone,
    task: Task | FileTask,
    *,
    trained: Iterable[nn.Module] = (),
    features: Tensor | None = None,
    rows: pd.DataFrame | None = None,
    **every,
) -> Panel:
    """The viewer of prompts in pixels: a picture, the prompt and their sum by kind and size, and what the CLIP says.

    `trained` are prompts in pixels of the task's classes, trained elsewhere; others are noise until Train here trains
    them. `features` (N, E), if given, are zero-shot CLIP's of all pictures of `task.test()`, from `keep_features`.
    `rows` are tidy rows of the experiment "pixels", by default those that come with the package. `every` says how a
    prompt is trained, as in a Point: shots, seed, changes of the recipe. ValueError for methods of another kind or of
    other classes. Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", section 3.
    """
    like = Point.read(
        {"method": "padding", "task": task.name, "protocol": "few-shot", "backbone": backbone.name, **every}
    )
    like.plan  # noqa: B018  a bad change of the recipe is said before any work
    gallery = Gallery.of(backbone, task)
    patches = Patches(gallery, task, like)
    patches.take(trained)
    state = Frames(gallery, patches, stored_levels(backbone, task, like.shots, rows), features)
    controls = {
        "kind": widgets.Dropdown(
            options=list(KINDS.items()), description="Prompt", style=WHOLE, layout=WIDE | {"width": "max-content"},
            tooltip="What is added to the pixels",
        ),
        "size": widgets.IntSlider(
            value=round(SHARE * backbone.image_size), min=1, max=backbone.image_size // 2, continuous_update=False,
            description="Width or side (pixels)", style=WHOLE, layout=WIDE,
            tooltip="Width of the frame, or side of the patch",
        ),
        "name": gallery.choose_class(),
        "number": gallery.choose_number(),
    }  # fmt: skip
    training = Training(
        lambda: [patches.point(controls["kind"].value, controls["size"].value)], patches.train, patches.keep,
        lambda: panel.update(), name=lambda point: f"{point.method}, {dict(point.options)[SIZE[point.method]]} pixels",
        device=f"Trains on the {'GPU' if backbone.device.type == 'cuda' else 'CPU'}.", kept="shown above",
    )  # fmt: skip
    panel = Panel("Prompts in pixels", controls, state.draw, extra=[training.box])
    return panel

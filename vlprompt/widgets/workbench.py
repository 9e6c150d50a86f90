"""The prompt workbench: type a template, and see what it does to the scores of some pictures and to all answers."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vlprompt.backbone import Backbone
from vlprompt.evaluate import keep_features, probabilities
from vlprompt.methods import ZeroShot
from vlprompt.plots import COLOURS
from vlprompt.tasks import FileTask, Task
from vlprompt.widgets.board import board, put_bars, put_picture, put_words
from vlprompt.widgets.common import Panel, View
from vlprompt.widgets.gallery import RIGHT, WHOLE, WIDE, WRONG, Gallery, listed, table

ALONE = "{}"  # the template that is the name and nothing else
MOST = 4  # pictures shown at once
TOP = 5  # classes shown for each of them
NAMES = 12  # classes whose names all fit beside the confusion table


@dataclass(frozen=True, eq=False)
class Answers:
    """What a template makes of all test pictures."""

    template: str
    probabilities: Tensor  # (N, C)
    confusion: Tensor  # (C, C): how many pictures of a class (row) are called what (column)

    @property
    def accuracy(self) -> float:
        """In per cent."""
        return 100 * float(self.confusion.diagonal().sum() / self.confusion.sum())


class Workbench:
    """The state behind the panel: test pictures whose features are kept, and the last template that could be used."""

    def __init__(self, backbone: Backbone, task: Task | FileTask, features: Tensor | None = None):
        self.backbone, self.gallery = backbone, Gallery.of(backbone, task)
        if features is None:
            features = keep_features(ZeroShot(backbone, task.classnames), self.gallery.images)
        if len(features) != len(self.gallery.labels):
            raise ValueError(
                f"features are of {len(features)} pictures, but {task.name} has {len(self.gallery.labels)} test "
                "pictures: give keep_features of all that task.test() gives, in its order"
            )
        self.features = features
        self.alone = self.answers(ALONE)
        self.last = self.alone
        self.notice = widgets.HTML()
        words = getattr(backbone.text, "token_embedding", None)  # (V, d_t); a hub's own tower has none of that name
        self.met = None if words is None else (words.weight != 0).any(dim=1)

    def answers(self, template: str) -> Answers:
        """ValueError that says why, for a template that cannot be used."""
        labels, names = self.gallery.labels, self.gallery.classnames
        believed = probabilities(ZeroShot(self.backbone, names, templates=template), self.features)  # (N, C)
        pairs = labels * len(names) + believed.argmax(dim=1)
        confusion = pairs.bincount(minlength=len(names) ** 2).view(len(names), -1)
        return Answers(template, believed, confusion)

    def draw(self, template: str, classes: Sequence[str], number: int) -> View:
        """The view of a template; of the last good one, and a notice, where this one cannot be used."""
        wrong = ""
        if template != self.last.template:
            try:
                self.last = self.answers(template)
            except ValueError as error:
                wrong = f"{error}. The picture still shows “{self.last.template}”. "
        self.notice.value = notice(wrong, self.strangers(template))
        if not classes:
            raise ValueError(f"no class is chosen: choose one to {MOST}")
        chosen = [self.gallery.place(name, number) for name in classes[:MOST]]
        left_out = f" Only the first {MOST} of the chosen classes are shown." if len(classes) > MOST else ""
        words = wrong + self.words(chosen) + left_out
        return View(self.figure(chosen), words, mistakes(self.last.confusion, self.gallery.classnames))

    def strangers(self, template: str) -> list[str]:
        """The words of a template that the CLIP's training never met: their tokens' vectors are zero."""
        words = template.replace(ALONE, " ").split()
        return [] if self.met is None else [w for w in words if not self.met[self.backbone.token_ids(w)].all()]

    def words(self, chosen: Sequence[int]) -> str:
        """The figure in sentences."""
        now, names = self.last, self.gallery.classnames
        total, right = int(now.confusion.sum()), int(now.confusion.diagonal().sum())
        gain = now.accuracy - self.alone.accuracy
        change = f"{abs(gain):.1f} points {'more' if gain > 0 else 'less'} than" if abs(gain) >= 0.05 else "as many as"
        said = []
        for i in chosen:
            sure, answer = now.probabilities[i].max(dim=0)
            true = names[int(self.gallery.labels[i])]
            called = "is named right" if names[answer] == true else f"is called {names[answer]}"
            said.append(f"{true} {called} ({100 * sure:.0f} %)")
        return (
            f"With “{now.template}”, {right} of {total} test pictures are named right: {now.accuracy:.1f} %, "
            f"{change} with the name alone. Of the chosen pictures, {listed(said)}."
        )

    def figure(self, chosen: Sequence[int]) -> Figure:
        """The chosen pictures with their scores, and beside them the confusion table of all test pictures."""
        drawn, sheet = board(8.0, 4.7)
        gain = self.last.accuracy - self.alone.accuracy
        title = f"{self.last.accuracy:.1f} % right: {gain:+.1f} points against the name alone"
        put_words(sheet, 0.1, 0.2, title.replace("-", "−"), fontsize=12)
        for k, i in enumerate(chosen):
            top = 0.45 + 1.0 * k
            put_picture(sheet, self.gallery.scene(i).permute(1, 2, 0).numpy(), 0.1, top, 0.88)
            self.scores(sheet, i, top + 0.09)
        put_words(sheet, 2.1, 4.55, "probability (%);  ❙ with the name alone")
        named = sorted({int(self.gallery.labels[i]) for i in chosen})
        confusion_table(sheet, 5.35, 1.05, 2.55, self.last.confusion, self.gallery.classnames, named)
        return drawn

    def scores(self, sheet: Axes, i: int, top: float) -> None:
        """The likeliest classes of one picture as bars, the right one always among them."""
        now, before, label = self.last.probabilities[i], self.alone.probabilities[i], int(self.gallery.labels[i])
        shown = now.topk(min(TOP, len(now))).indices.tolist()
        if label not in shown:
            shown[-1] = label
        left, whole = 2.1, 1.85
        rows = top + 0.155 * np.arange(1, 1 + len(shown))
        put_words(sheet, left, top, f"{RIGHT} right" if shown[0] == label else f"{WRONG} wrong", weight="bold")
        put_bars(sheet, left, rows, now[shown], whole, COLOURS["text"])
        put_bars(sheet, left, rows[shown.index(label)], now[label], whole, "none", hatch="////", edgecolor="white")
        sheet.vlines(left + whole * before[shown].numpy(), rows - 0.07, rows + 0.07, color="black", linewidth=1.6)
        for row, c in zip(rows, shown, strict=True):
            weight = "bold" if c == label else "normal"
            put_words(sheet, left - 0.06, row, self.gallery.classnames[c], ha="right", weight=weight)
            put_words(sheet, left + whole + 0.1, row, f"{100 * now[c]:.0f}", weight=weight)


def confusion_table(
    sheet: Axes, left: float, top: float, side: float, confusion: Tensor, names: Sequence[str], chosen: Sequence[int]
) -> None:
    """Shares of each class's pictures, a row each, by the answer; with many classes only the chosen ones are named."""
    shares = confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    put_picture(sheet, 1 - shares[..., None].expand(-1, -1, 3).numpy(), left, top, side)
    right, bottom, cell = left + side, top + side, side / len(names)
    sheet.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="black", linewidth=0.8)
    for c in range(len(names)) if len(names) <= NAMES else chosen:
        at = (c + 0.5) * cell
        put_words(sheet, left - 0.07, top + at, names[c], ha="right")
        put_words(sheet, left + at, bottom + 0.08, names[c], ha="right", va="top", rotation=40, rotation_mode="anchor")
    put_words(sheet, right, top - 0.15, "all test pictures; right on the diagonal", ha="right")
    put_words(sheet, left - 0.95, top + side / 2, "pictures of", rotation=90, ha="center")
    put_words(sheet, left + side / 2, bottom + 0.85, "are called", ha="center")


def mistakes(confusion: Tensor, names: Sequence[str], most: int = 6) -> str:
    """The most frequent mistakes as a table in HTML."""
    off = confusion.clone()
    off.fill_diagonal_(0)
    counts, places = off.flatten().topk(min(most, off.numel()))
    rows = [
        (names[p // len(names)], names[p % len(names)], f"{n} of {int(confusion[p // len(names)].sum())}")
        for n, p in zip(counts.tolist(), places.tolist(), strict=True)
        if n
    ]
    return table("The most frequent mistakes", ["pictures of", "are called", "how many"], rows) if rows else ""


def notice(wrong: str, unknown: Sequence[str]) -> str:
    """What is to be said about the template, as HTML; nothing if there is nothing to say."""
    if wrong:
        return f'<p role="alert" style="margin:0"><b>Not shown.</b> {html.escape(wrong)}</p>'
    if unknown:
        return (
            f'<p role="status" style="margin:0">Words that this CLIP never met: {html.escape(", ".join(unknown))}.</p>'
        )
    return ""


def try_templates(
    backbone: Backbone, task: Task | FileTask, *, template: str | None = None, features: Tensor | None = None
) -> Panel:
    """The prompt workbench: a template to type, and what it does to a task's test pictures.

    It shows the scores of up to four chosen pictures, the confusion table and the accuracy of all, and the gain over
    the name alone. The images are encoded once; `features` (N, E), if given, are those of all pictures of
    `task.test()`, from `keep_features`. `template` is the first one shown, the task's own by default.
    ValueError if that cannot be used, or if features and pictures differ in number.
    """
    state = Workbench(backbone, task, features)
    first = task.template if template is None else template
    state.last = state.answers(first)
    names = task.classnames
    spread = [names[round(i * (len(names) - 1) / (MOST - 1))] for i in range(MOST)]
    controls = {
        "template": widgets.Text(
            value=first, description="Template", placeholder="a photo of a {}.", continuous_update=False, style=WHOLE,
            tooltip="A sentence with {} where the name goes; press Enter to use it",
            layout=WIDE | {"width": "min(32em, 100%)"},
        ),
        "classes": widgets.SelectMultiple(
            options=names, value=list(dict.fromkeys(spread)), rows=4, description="Pictures of", style=WHOLE,
            tooltip=f"Choose one to {MOST} classes, more than one with Ctrl or Shift",
        ),
        "number": state.gallery.choose_number("Which of each class"),
    }  # fmt: skip
    return Panel("Prompt workbench", controls, state.draw, extra=[state.notice])

"""What several panels share: a task's test pictures, the controls that choose one, and tables in HTML."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import ipywidgets as widgets
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from vlprompt.backbone import Backbone
from vlprompt.evaluate import Images
from vlprompt.pictures import Pictures, halves
from vlprompt.tasks import FileTask, Task

RIGHT, WRONG = "✔", "✘"  # right and wrong by a mark, never by a colour alone
WHOLE = {"description_width": "initial"}  # a label is never cut off
WIDE = {"width": "min(26em, 100%)", "margin": "2px 12px 2px 2px"}  # the layout of a slider, on a narrow page too


@dataclass(frozen=True, eq=False)
class Gallery:
    """The test pictures of a task, found by the name of a class and a number from 1."""

    backbone: Backbone
    classnames: list[str]
    scenes: Tensor | Pictures  # (N, 3, H, W) uint8, or files
    labels: Tensor  # (N,)

    @classmethod
    def of(cls, backbone: Backbone, task: Task | FileTask) -> "Gallery":
        return cls(backbone, task.classnames, *task.test())

    @cached_property
    def images(self) -> Images:
        """All pictures as the image tower takes them."""
        return self.backbone.prepare(self.scenes)

    @cached_property
    def most(self) -> int:
        """The number of pictures of the class that has most."""
        return int(self.labels.bincount(minlength=len(self.classnames)).max())

    def place(self, name: str, number: int) -> int:
        """Where the picture stands among all; a class with fewer pictures begins again with its first."""
        mine = (self.labels == self.classnames.index(name)).nonzero().flatten()
        if not len(mine):
            raise ValueError(f"there is no test picture of {name!r}")
        return int(mine[(number - 1) % len(mine)])

    def name_and_number(self, place: int) -> tuple[str, int]:
        """The other way round: the class of a picture, and which it is of them, from 1."""
        label = self.labels[place]
        return self.classnames[int(label)], 1 + int((self.labels[:place] == label).sum())

    def image(self, place: int) -> Tensor:
        """One picture as the image tower takes it: (1, 3, H, W), on the backbone's device."""
        images = self.images
        one = images[place : place + 1] if isinstance(images, Tensor) else images[[place]]
        return one.to(self.backbone.device)

    def scene(self, place: int) -> Tensor:
        """One picture as it is shown, (3, H, W) uint8: cut and resized as the image tower sees it."""
        scene, size = self.scenes[place], self.backbone.image_size
        if isinstance(scene, Tensor):
            if tuple(scene.shape[1:]) == (size, size):
                return scene.cpu()
            scene = to_pil_image(scene)
        on_picture, _ = halves(self.backbone.preprocess)
        return on_picture(scene)

    def choose_class(self) -> widgets.Dropdown:
        return widgets.Dropdown(
            options=self.classnames, description="Picture of", tooltip="Which class the picture shows", style=WHOLE,
            layout=WIDE | {"width": "max-content"},
        )  # fmt: skip

    def choose_number(self, description: str = "Number") -> widgets.IntSlider:
        return widgets.IntSlider(
            value=1, min=1, max=self.most, description=description, continuous_update=False, style=WHOLE,
            tooltip="Which of the test pictures of this class", layout=WIDE,
        )  # fmt: skip


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in HTML: its first column names the rows, numbers stand to the right, and floats have one digit."""

    def cell(value: object, first: bool) -> str:
        side = "left" if isinstance(value, str) else "right"
        style = f'style="text-align:{side};padding:0 .6em"'
        text = f"{value:.1f}" if isinstance(value, float) else html.escape(str(value))
        return f'<th scope="row" {style}>{text}</th>' if first else f"<td {style}>{text}</td>"

    head = "".join(
        f'<th scope="col" style="text-align:left;padding:0 .6em">{html.escape(column)}</th>' for column in columns
    )
    body = "".join(f"<tr>{''.join(cell(v, i == 0) for i, v in enumerate(row))}</tr>" for row in rows)
    caption = f'<caption style="text-align:left">{html.escape(caption)}</caption>'
    return f'<div style="overflow-x:auto"><table>{caption}<tr>{head}</tr>{body}</table></div>'


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

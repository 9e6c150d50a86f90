"""Scenes: a drawing at a random place, size and angle, on a random background, in random light.

`paint` makes a batch of scenes from drawings, all from one explicit generator: the same seed gives the same
pixels. Coordinates run from -1 to 1 over the canvas, sizes are fractions of it.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vlprompt.tasks.drawings import SIZE  # a scene is as large as a drawing

# Colours that a caption can name.
PALETTE = {
    "red": (0.85, 0.15, 0.15), "orange": (0.95, 0.55, 0.10), "yellow": (0.95, 0.88, 0.25), "green": (0.20, 0.65, 0.25),
    "blue": (0.15, 0.35, 0.85), "purple": (0.55, 0.20, 0.70), "pink": (0.98, 0.65, 0.75), "brown": (0.50, 0.32, 0.18),
    "black": (0.06, 0.06, 0.06), "grey": (0.55, 0.55, 0.55), "white": (0.97, 0.97, 0.97),
    "turquoise": (0.20, 0.75, 0.75),
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How much scenes vary; the defaults are those of the course's tasks."""

    scale: tuple[float, float] = (0.65, 0.95)  # of the canvas that the drawing takes
    shift: float = 0.05  # how far its centre may lie from the middle, beyond what keeps it inside
    angle: float = 15.0  # degrees to either side
    clutter: int = 2  # shapes behind the drawing, at most
    occlusion: float = 0.15  # how often a bar lies over the drawing
    light: float = 0.2  # change of brightness, contrast and colour
    noise: float = 0.03  # standard deviation of the pixels' noise, at most
    hue: float = 30.0  # degrees by which every colour is turned: the tasks' film is not the one that CLIP knows


# Pretraining sees rougher scenes than the tasks show.
ROUGH = Look(scale=(0.5, 0.95), shift=0.15, angle=25.0, clutter=3, occlusion=0.25, light=0.3, noise=0.04, hue=0.0)


@dataclass(frozen=True)
class Layout:
    """Where the drawings of a batch of scenes stand: tensors (B,), and the background's colours (B, 3)."""

    scale: Tensor
    x: Tensor
    y: Tensor
    angle: Tensor  # radians
    colour: Tensor  # (B,) index into PALETTE of the main background colour
    plain: Tensor  # (B,) true where the background is of that one colour

    def at(self, **changes: Tensor) -> "Layout":
        """The same layout with some of its parts set, for the tasks that ask how large or where."""
        return replace(self, **changes)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Uniform numbers from an explicit generator."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def random_layout(batch: int, generator: Generator, look: Look | None = None) -> Layout:
    """Draw where and how large the drawings of `batch` scenes are."""
    look = look or Look()
    scale = uniform((batch,), *look.scale, generator)
    room = 1 - scale + look.shift * scale
    x, y = (uniform((batch,), -1, 1, generator) * room for _ in range(2))
    angle = uniform((batch,), -1, 1, generator) * look.angle * torch.pi / 180
    colour = torch.randint(len(PALETTE), (batch,), generator=generator)
    plain = torch.rand(batch, generator=generator) < 0.4
    return Layout(scale, x, y, angle, colour, plain)


def paint(drawings: Tensor, layout: Layout, generator: Generator, look: Look | None = None) -> Tensor:
    """Scenes (B, 3, 48, 48) uint8 of `drawings` (B, K, 4, 48, 48) uint8, K of them in each scene.

    With K > 1 the layout's `scale`, `x`, `y` and `angle` are (B, K).
    """
    look = look or Look()
    batch, count = drawings.shape[:2]
    canvas = background(layout, generator)
    canvas = add_clutter(canvas, generator, look)
    pictures = drawings.float() / 255
    pictures = torch.cat([pictures[:, :, :3] * pictures[:, :, 3:], pictures[:, :, 3:]], 2)  # colours times alpha
    places = [v.view(batch, count) for v in (layout.scale, layout.x, layout.y, layout.angle)]
    for k in range(count):
        canvas = stamp(canvas, pictures[:, k], *(v[:, k] for v in places))
    canvas = add_bar(canvas, generator, look)
    return (change_light(canvas, generator, look).clamp(0, 1) * 255).round().to(torch.uint8)


def grid(batch: int) -> tuple[Tensor, Tensor]:
    """The x and y of every pixel's centre, each (B, 48, 48)."""
    line = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x.expand(batch, -1, -1), y.expand(batch, -1, -1)


def column(v: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1), to meet a grid."""
    return v[:, None, None]


def background(layout: Layout, generator: Generator) -> Tensor:
    """Backgrounds (B, 3, 48, 48): one colour, or two that meet in a gradient, in stripes or in clouds."""
    batch = len(layout.colour)
    x, y = grid(batch)
    palette = torch.tensor(list(PALETTE.values()))
    first = palette[layout.colour] + uniform((batch, 3), -0.06, 0.06, generator)
    second = torch.rand(batch, 3, generator=generator)
    turn = column(uniform((batch,), 0, torch.pi, generator))
    along = x * turn.cos() + y * turn.sin()  # (B, 48, 48) in about -1.4..1.4
    clouds = F.interpolate(torch.rand(batch, 1, 5, 5, generator=generator), SIZE, mode="bicubic", align_corners=True)
    stripes = (along * column(uniform((batch,), 4, 14, generator))).sin() * 0.5 + 0.5
    kind = column(torch.randint(3, (batch,), generator=generator))
    mix = torch.where(kind == 0, along * 0.4 + 0.5, torch.where(kind == 1, stripes, clouds[:, 0]))
    mix = (mix * column(~layout.plain)).clamp(0, 1)[:, None]  # (B, 1, 48, 48)
    return first[:, :, None, None] * (1 - mix) + second[:, :, None, None] * mix


def add_clutter(canvas: Tensor, generator: Generator, look: Look) -> Tensor:
    """Soft ellipses of random colours behind the drawing."""
    batch = len(canvas)
    x, y = grid(batch)
    for _ in range(look.clutter):
        cx, cy = (column(uniform((batch,), -1, 1, generator)) for _ in range(2))
        rx, ry = (column(uniform((batch,), 0.08, 0.4, generator)) for _ in range(2))
        strength = column(uniform((batch,), 0, 1, generator) * (torch.rand(batch, generator=generator) < 0.5))
        inside = torch.sigmoid((1 - ((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2) * 6) * strength
        colour = torch.rand(batch, 3, 1, 1, generator=generator)
        canvas = canvas + (colour - canvas) * inside[:, None]
    return canvas


def stamp(canvas: Tensor, picture: Tensor, scale: Tensor, x: Tensor, y: Tensor, angle: Tensor) -> Tensor:
    """Lay pictures (B, 4, S, S), colours already times alpha, over a canvas (B, 3, 48, 48)."""
    if scale.max() <= 0.5:
        picture = F.avg_pool2d(picture, 2)  # so that sampling does not skip pixels
    cos, sin = angle.cos() / scale, angle.sin() / scale
    turn = torch.stack([cos, sin, -(cos * x + sin * y), -sin, cos, sin * x - cos * y], 1).view(-1, 2, 3)
    where = F.affine_grid(turn, (len(canvas), 4, SIZE, SIZE), align_corners=False)
    layer = F.grid_sample(picture, where, align_corners=False)  # (B, 4, 48, 48)
    return layer[:, :3] + canvas * (1 - layer[:, 3:])


def add_bar(canvas: Tensor, generator: Generator, look: Look) -> Tensor:
    """A bar of one colour over some of the scenes, at any angle: something stands in front."""
    batch = len(canvas)
    x, y = grid(batch)
    turn = column(uniform((batch,), 0, torch.pi, generator))
    along = x * turn.cos() + y * turn.sin() - column(uniform((batch,), -0.6, 0.6, generator))
    half = column(uniform((batch,), 0.04, 0.16, generator))
    there = column((torch.rand(batch, generator=generator) < look.occlusion).float())
    inside = torch.sigmoid((half - along.abs()) * 40) * there
    return canvas + (torch.rand(batch, 3, 1, 1, generator=generator) - canvas) * inside[:, None]


def change_light(canvas: Tensor, generator: Generator, look: Look) -> Tensor:
    """Brightness, contrast, saturation and a cast of colour, light from one side, and noise."""
    batch = len(canvas)
    x, y = grid(batch)

    def factor(amount, channels=1):
        return 1 + uniform((batch, channels, 1, 1), -amount, amount, generator)

    grey = canvas.mean(1, keepdim=True)
    canvas = grey + (canvas - grey) * factor(look.light)
    mean = canvas.mean((1, 2, 3), keepdim=True)
    canvas = mean + (canvas - mean) * factor(look.light)
    turn = column(uniform((batch,), 0, 2 * torch.pi, generator))
    side = 1 + ((x * turn.cos() + y * turn.sin()) * column(uniform((batch,), 0, look.light, generator)))[:, None]
    canvas = turn_hue(canvas, look.hue) * factor(look.light) * factor(look.light / 3, 3) * side
    amount = uniform((batch, 1, 1, 1), 0, look.noise, generator)
    return canvas + torch.randn(canvas.shape, generator=generator) * amount


def turn_hue(canvas: Tensor, degrees: float) -> Tensor:
    """Colours (B, 3, H, W) turned about the axis of greys: brightness stays, red goes towards green."""
    if not degrees:
        return canvas
    turn = math.radians(degrees)
    along = (1 - math.cos(turn)) / 3
    across = math.sin(turn) / math.sqrt(3)
    row = torch.tensor([math.cos(turn) + along, along - across, along + across])
    matrix = torch.stack([row, row.roll(1), row.roll(2)])  # (3, 3), each row adds up to 1
    return torch.einsum("ij,bjhw->bihw", matrix, canvas)

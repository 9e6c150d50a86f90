"""Random views of training images, as in the papers: a crop of any size and shape, flipped half the time.

`fit(..., augment=RandomViews())` shows a new view of every image in every epoch. All published configurations do so.
"""

import math
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Generator, Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from vlprompt.evaluate import keep_features
from vlprompt.pictures import LazyImages

TRIES = 10  # as in torchvision: then the largest window of an allowed shape


@dataclass(frozen=True)
class RandomViews:
    """Random resized crop (bicubic), then a horizontal flip (CoOp's code; Inception's augmentation).

    `scale` is the window's share of the image's area, `ratio` its width by its height, both from least to most;
    `flip` is how often it is mirrored.  All is drawn from the generator that is handed over, with torchvision's
    own draws, so that the same seed gives torchvision's window.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5

    def __post_init__(self):
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale is {self.scale}, but it must be shares of the area such as (0.08, 1.0)")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio is {self.ratio}, but it must be two widths by height such as (0.75, 1.33)")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip is {self.flip}, but it must be a probability from 0 to 1")

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """A view of each image of a batch (B, 3, H, W), of the same size; for images that are already tensors."""
        height, width = images.shape[-2:]
        return torch.stack([self.view(image, height, width, [height, width], generator) for image in images])

    def picture(self, image: Image.Image, size: int, generator: Generator) -> Image.Image:
        """A view of a picture of any size, as `size` x `size` pixels: what the papers do."""
        return self.view(image, image.height, image.width, [size, size], generator)

    def view(self, image, height: int, width: int, size: list[int], generator: Generator):
        window = self.window(height, width, generator)
        view = F.resized_crop(image, *window, size, InterpolationMode.BICUBIC, antialias=True)
        return F.hflip(view) if float(torch.rand(1, generator=generator)) < self.flip else view

    def window(self, height: int, width: int, generator: Generator) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random window in an image."""

        def uniform(low: float, high: float) -> float:
            return float(torch.empty(1).uniform_(low, high, generator=generator))

        for _ in range(TRIES):
            area = height * width * uniform(*self.scale)
            shape = math.exp(uniform(*(math.log(r) for r in self.ratio)))
            w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < w <= width and 0 < h <= height:
                top = int(torch.randint(height - h + 1, (1,), generator=generator))
                left = int(torch.randint(width - w + 1, (1,), generator=generator))
                return top, left, h, w
        low, high = self.ratio
        w, h = min(width, round(height * high)), min(height, round(width / low))
        return (height - h) // 2, (width - w) // 2, h, w


def keep_views(
    method: nn.Module, images: LazyImages, augment: RandomViews, *, epochs: int, seed: int = 1, batch_size: int = 100
) -> Tensor:
    """The features (epochs, N, E) of the views that `fit(..., augment=augment, seed=seed)` would show.

    For a method whose prompts do not enter the image tower.  Given to `fit` in place of the images they train to the
    same result, and every further run on them (another method, rate or start) pays nothing for the image tower.
    """
    if not isinstance(images, LazyImages):
        raise ValueError("views are kept of pictures in files: give what backbone.prepare makes of a task's Pictures")
    shown = (images.seen(augment, seed, epoch) for epoch in range(epochs))
    return torch.stack([keep_features(method, views, batch_size=batch_size) for views in shown])

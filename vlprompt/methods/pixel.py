"""Numbers added to the pixels: a frame, or a patch."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, encode_image
from vlprompt.methods.common import Classifier, by_cosine, fixed_text, generator, with_names
from vlprompt.sentences import read_names

TEMPLATE = "This is a photo of a {}"  # the authors', without a full stop
SHARE = 30 / 224  # of the image: the authors' width and size


class Padding(nn.Module):
    """Padding: a learned frame is added to the normalised image.

    Learns 2·3·p·(H - p) + 2·3·p·(W - p) numbers, p = `width` (30 of 224 pixels by default), which
    start from N(0, 1). The text is fixed to `template`, where `-` in a name is read as a space.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or widths.
    Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", section 3.
    """

    keeps_image_features = False

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        width: int | None = None,
        template: str = TEMPLATE,
        seed: int = 0,
    ):
        super().__init__()
        size = backbone.image_size
        width = round(SHARE * size) if width is None else width
        if width not in range(size // 2 + 1):
            raise ValueError(f"width={width!r}; a frame on {size} pixels has 0 to {size // 2}")
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"width": width, "template": template, "seed": seed}
        self.text = frozen_text(backbone, self.classnames, template)  # (C, E)
        draw, inner = generator(seed), size - 2 * width
        self.up, self.down = (noise(backbone, width, size, draw) for _ in range(2))
        self.left, self.right = (noise(backbone, inner, width, draw) for _ in range(2))

    def prompts(self, features: Tensor | None = None) -> Prompts:
        inside = self.left.new_zeros(3, self.left.shape[1], self.up.shape[2] - 2 * self.up.shape[1])
        middle = torch.cat([self.left, inside, self.right], dim=2)
        return Prompts(pixels=torch.cat([self.up, middle, self.down], dim=1))  # (3, H, W)

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self) -> Classifier:
        return by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "Padding":
        return with_names(self, classnames)


class FixedPatch(nn.Module):
    """Fixed patch: a learned square is added to the top left corner of the normalised image.

    Learns 3 p² numbers, p = `size` (30 of 224 pixels by default), which start from N(0, 1).
    The text is fixed to `template`, where `-` in a name is read as a space.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or sizes.
    Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", section 3.
    """

    keeps_image_features = False

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        size: int | None = None,
        template: str = TEMPLATE,
        seed: int = 0,
    ):
        super().__init__()
        size = check_patch(backbone, size)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"size": size, "template": template, "seed": seed}
        self.text = frozen_text(backbone, self.classnames, template)  # (C, E)
        self.patch = noise(backbone, size, size, generator(seed))  # (3, p, p)

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts(pixels=at(self.patch, 0, 0, self.backbone.image_size))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self) -> Classifier:
        return by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "FixedPatch":
        return with_names(self, classnames)


class RandomPatch(nn.Module):
    """Random patch: a learned square is added to the normalised image, each time somewhere else.

    Learns 3 p² numbers, p = `size` (30 of 224 pixels by default), which start from N(0, 1). One
    place for a whole batch, also when it is tested, as the authors do. (They never draw the last
    row and column; this does.) The text is fixed as in `FixedPatch`.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or sizes.
    Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", section 3.
    """

    keeps_image_features = False

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        size: int | None = None,
        template: str = TEMPLATE,
        seed: int = 0,
    ):
        super().__init__()
        size = check_patch(backbone, size)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"size": size, "template": template, "seed": seed}
        self.text = frozen_text(backbone, self.classnames, template)  # (C, E)
        self.patch = noise(backbone, size, size, generator(seed))  # (3, p, p)
        self.random = generator(seed)

    def prompts(self, features: Tensor | None = None) -> Prompts:
        room = self.backbone.image_size - self.patch.shape[-1] + 1
        row, column = torch.randint(room, (2,), generator=self.random).tolist()
        return Prompts(pixels=at(self.patch, row, column, self.backbone.image_size))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self) -> Classifier:
        return by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "RandomPatch":
        return with_names(self, classnames)


def noise(backbone: Backbone, height: int, width: int, draw: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(3, height, width, generator=draw).to(backbone.device))


def at(patch: Tensor, row: int, column: int, size: int) -> Tensor:
    """(3, p, p) -> (3, H, W), zero around the patch"""
    p = patch.shape[-1]
    return F.pad(patch, (column, size - column - p, row, size - row - p))


def frozen_text(backbone: Backbone, names: Sequence[str], template: str) -> Tensor:
    return fixed_text(backbone, [name.replace("-", " ") for name in names], [template])


def check_patch(backbone: Backbone, size: int | None) -> int:
    size = round(SHARE * backbone.image_size) if size is None else size
    if size not in range(1, backbone.image_size + 1):
        raise ValueError(f"size={size!r}; a patch on {backbone.image_size} pixels has 1 to {backbone.image_size}")
    return size

"""CLIP as it is, asked with hand-written prompts."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, encode_image
from vlprompt.methods.common import Classifier, by_cosine, fixed_text, with_names
from vlprompt.sentences import read_names


class ZeroShot(nn.Module):
    """Zero-shot CLIP: each class is a sentence, or the average of several; nothing is learned.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or templates.
    Radford et al. 2021, sections 3.1.2 and 3.1.4.
    """

    keeps_image_features = True

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        templates: str | Sequence[str] = "a photo of a {}.",
    ):
        super().__init__()
        templates = [templates] if isinstance(templates, str) else list(templates)
        if not templates:
            raise ValueError("there are no templates; give at least one, such as 'a photo of a {}.'")
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"templates": templates}
        self.text = fixed_text(backbone, self.classnames, templates)  # (C, E)

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts()

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images), dim=-1)

    def classifier(self) -> Classifier:
        return by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "ZeroShot":
        return with_names(self, classnames)

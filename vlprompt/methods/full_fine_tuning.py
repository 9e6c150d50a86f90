"""No prompt: all weights of the image tower learn."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, encode_image
from vlprompt.methods.common import (
    Classifier,
    by_cosine,
    fixed_text,
    generator,
    linear_head,
    refuse_names,
    with_names,
)
from vlprompt.sentences import read_names


class FullFineTuning(nn.Module):
    """Full fine-tuning: a copy of the whole image tower learns, which VPT is compared with.

    Learns all its weights, and with `head="linear"`, as in VPT's paper, (E + 1) C more. With
    `head="text"` the classes are the fixed sentences of `template`. The backbone stays as it is.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or heads.
    Jia et al. 2022, "Visual Prompt Tuning", section 4.1, (a).
    """

    keeps_image_features = False

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        template: str = "a photo of a {}.",
        head: str = "text",
        seed: int = 0,
    ):
        super().__init__()
        if head not in ("text", "linear"):
            raise ValueError(f"head={head!r}; the classes come from 'text' or a 'linear' head")
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"template": template, "head": head, "seed": seed}
        self.visual = deepcopy(backbone.visual).requires_grad_()
        if head == "linear":
            self.head = linear_head(backbone, len(self.classnames), generator(seed))
        else:
            self.text = fixed_text(backbone, self.classnames, [template])  # (C, E)

    def train(self, mode: bool = True) -> "FullFineTuning":
        return super().train(False)  # batch norm of a ResNet keeps its statistics

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts()

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one unless a linear head learns their scale"""
        features = encode_image(replace(self.backbone, visual=self.visual), images)
        return features if self.options["head"] == "linear" else F.normalize(features, dim=-1)

    def classifier(self) -> Classifier:
        return self.head if self.options["head"] == "linear" else by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "FullFineTuning":
        if self.options["head"] == "linear":
            refuse_names(self, "a row of weights for each class", "train it with head='text'")
        return with_names(self, classnames)

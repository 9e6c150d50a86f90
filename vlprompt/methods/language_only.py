"""Context vectors in the first layers of the text tower, not in its input alone."""

from collections.abc import Mapping, Sequence
from os import PathLike

import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, check_text, encode_image, encode_text
from vlprompt.methods.common import (
    Classifier,
    by_cosine,
    check_length,
    first_context,
    generator,
    vectors,
    with_names,
)
from vlprompt.official import load_into
from vlprompt.sentences import around_context, read_names


class LanguageOnly(nn.Module):
    """Deep language prompting: in each of the first J text layers, context vectors of its own.

    Learns J M d_t numbers. The first layer's start as the first `length` tokens of `init`, whose
    other words stay, or at random; deeper ones at random.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names, depths or lengths.
    Khattak et al. 2023, "MaPLe", section 3.2.1; a baseline of its table 1.
    """

    keeps_image_features = True

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        depth: int = 12,
        length: int = 4,
        init: str | None = "a photo of a",
        seed: int = 0,
    ):
        super().__init__()
        check_text(backbone, depth)
        check_length("length", length, depth)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"depth": depth, "length": length, "init": init, "seed": seed}
        self.sentences = around_context(backbone, self.classnames, length if depth else 0, init)
        draw = generator(seed)
        self.context = nn.ParameterList(  # J of (M, d_t)
            first_context(backbone, length, init=init, draw=draw)
            if layer == 0
            else vectors(backbone, length, backbone.text_width, draw=draw)
            for layer in range(depth)
        )

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts(text=tuple(self.context))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images), dim=-1)

    def classifier(self) -> Classifier:
        text = encode_text(self.backbone, self.sentences, self.prompts())  # (C, E)
        return by_cosine(self.backbone, F.normalize(text, dim=-1))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "LanguageOnly":
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "LanguageOnly":
        """Take the context from a checkpoint of the authors' code (a file, or its state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        block = "text_encoder.transformer.resblocks"
        names = {f"context.{i}": f"{block}.{i}.VPT_shallow" for i in range(1, len(self.context))}
        return {"context.0": "ctx", **names}

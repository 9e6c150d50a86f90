"""Tokens among the patches of the image tower."""

from collections.abc import Mapping, Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, check_vision, encode_image
from vlprompt.methods.common import (
    Classifier,
    by_cosine,
    check_length,
    fixed_text,
    generator,
    linear_head,
    refuse_names,
    with_names,
)
from vlprompt.official import load_into
from vlprompt.sentences import read_names


class VPT(nn.Module):
    """VPT: learned tokens in the first J layers of the image tower; J = 1 is VPT-shallow.

    Learns J M d_v numbers, and with `head="linear"`, as in its paper, (E + 1) C more. With
    `head="text"` the classes are the fixed sentences of `template`. The tokens stand after the
    patches, before `ln_pre`, where they give the same as after the class token, and start uniform
    in ±sqrt(6 / (3 patch² + d_v)).

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names, depths, lengths or heads.
    Jia et al. 2022, "Visual Prompt Tuning", section 3.2.
    """

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        depth: int = 12,
        length: int = 8,
        template: str = "a photo of a {}.",
        head: str = "text",
        seed: int = 0,
    ):
        super().__init__()
        check_vision(backbone, depth)
        check_length("length", length, depth)
        if head not in ("text", "linear"):
            raise ValueError(f"head={head!r}; the classes come from 'text' or a 'linear' head")
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {
            "depth": depth,
            "length": length,
            "template": template,
            "head": head,
            "seed": seed,
        }
        self.keeps_image_features = depth == 0
        draw = generator(seed)
        bound = (6 / (3 * (backbone.patch_size or 0) ** 2 + backbone.vision_width)) ** 0.5 if depth else 0
        self.tokens = nn.ParameterList(  # J of (M, d_v)
            (bound * (2 * torch.rand(length, backbone.vision_width, generator=draw) - 1)).to(backbone.device)
            for _ in range(depth)
        )
        if head == "linear":
            self.head = linear_head(backbone, len(self.classnames), draw)
        else:
            self.text = fixed_text(backbone, self.classnames, [template])  # (C, E)

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts(vision=tuple(self.tokens))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one unless a linear head learns their scale"""
        features = encode_image(self.backbone, images, self.prompts())
        return features if self.options["head"] == "linear" else F.normalize(features, dim=-1)

    def classifier(self) -> Classifier:
        return self.head if self.options["head"] == "linear" else by_cosine(self.backbone, self.text)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "VPT":
        if self.options["head"] == "linear":
            refuse_names(self, "a row of weights for each class", "train it with head='text'")
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "VPT":
        """Take the tokens from a checkpoint of MaPLe's authors' VPT (a file or its state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        block = "image_encoder.transformer.resblocks"
        names = {f"tokens.{i}": f"{block}.{i}.VPT_shallow" for i in range(1, len(self.tokens))}
        return {"tokens.0": "image_encoder.VPT", **names}

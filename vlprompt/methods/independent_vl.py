"""Context vectors in the text tower, tokens in the image tower, each without the other."""

from collections.abc import Mapping, Sequence
from os import PathLike

import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, check_text, check_vision, encode_image, encode_text
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


class IndependentVL(nn.Module):
    """Independent vision-language prompting: deep prompts in both towers, not tied to each other.

    Learns J_t M_t d_t + J_v M_v d_v numbers. With `text_depth=0` it is deep vision prompting, the
    text fixed to `<init> <name>.`. The first context starts as the first tokens of `init`, whose
    other words stay, or at random; all else at random.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names, depths or lengths.
    Khattak et al. 2023, "MaPLe", section 3.3; a baseline of its table 1.
    """

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        vision_depth: int = 12,
        text_depth: int = 12,
        vision_length: int = 2,
        text_length: int = 2,
        init: str | None = "a photo of a",
        seed: int = 0,
    ):
        super().__init__()
        check_text(backbone, text_depth)
        check_vision(backbone, vision_depth)
        check_length("text_length", text_length, text_depth)
        check_length("vision_length", vision_length, vision_depth)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {
            "vision_depth": vision_depth,
            "text_depth": text_depth,
            "vision_length": vision_length,
            "text_length": text_length,
            "init": init,
            "seed": seed,
        }
        self.keeps_image_features = vision_depth == 0
        opened = text_length if text_depth else 0
        self.sentences = around_context(backbone, self.classnames, opened, init)
        draw = generator(seed)
        self.context = nn.ParameterList(  # J_t of (M_t, d_t)
            first_context(backbone, text_length, init=init, draw=draw)
            if layer == 0
            else vectors(backbone, text_length, backbone.text_width, draw=draw)
            for layer in range(text_depth)
        )
        self.tokens = nn.ParameterList(  # J_v of (M_v, d_v)
            vectors(backbone, vision_length, backbone.vision_width, draw=draw) for _ in range(vision_depth)
        )

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts(text=tuple(self.context), vision=tuple(self.tokens))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self) -> Classifier:
        text = encode_text(self.backbone, self.sentences, self.prompts())  # (C, E)
        return by_cosine(self.backbone, F.normalize(text, dim=-1))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "IndependentVL":
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "IndependentVL":
        """Take the prompts from a checkpoint of the authors' IVLP or VPT (file or state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        block = "transformer.resblocks"
        names = {"context.0": "ctx", "tokens.0": "image_encoder.VPT"}
        for i in range(1, len(self.context)):
            names[f"context.{i}"] = f"text_encoder.{block}.{i}.VPT_shallow"
        for i in range(1, len(self.tokens)):
            names[f"tokens.{i}"] = f"image_encoder.{block}.{i}.VPT_shallow"
        return names

"""Context vectors in the text tower, and tokens in the image tower made from them."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
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
    linear,
    vectors,
    with_names,
)
from vlprompt.official import load_into
from vlprompt.sentences import around_context, read_names


class MaPLe(nn.Module):
    """MaPLe: deep prompts in both towers; those of the image tower are linear maps of the text's.

    Learns J M d_t numbers, and J (d_t + 1) d_v in the coupling: one map a layer, or, with
    `shared_coupling` (MaPLe†), one for all. The first context starts as the first `length` tokens
    of `init`, whose other words stay, or at random; all else at random.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names, depths or lengths.
    Khattak et al. 2023, "MaPLe: Multi-modal Prompt Learning", section 3.2; † its table 9.
    """

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        depth: int = 9,
        length: int = 2,
        init: str | None = "a photo of a",
        shared_coupling: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        check_text(backbone, depth)
        check_vision(backbone, depth)
        check_length("length", length, depth)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {
            "depth": depth,
            "length": length,
            "init": init,
            "shared_coupling": shared_coupling,
            "seed": seed,
        }
        self.keeps_image_features = depth == 0
        self.sentences = around_context(backbone, self.classnames, length if depth else 0, init)
        draw = generator(seed)
        self.context = nn.ParameterList(  # J of (M, d_t)
            first_context(backbone, length, init=init, draw=draw)
            if layer == 0
            else vectors(backbone, length, backbone.text_width, draw=draw)
            for layer in range(depth)
        )
        # The authors draw the first map and one more, of which all deeper maps start as copies.
        first, deeper = (linear(backbone, backbone.text_width, backbone.vision_width, draw) for _ in range(2))
        maps = [first, *(deepcopy(deeper) for _ in range(depth - 1))]
        self.coupling = nn.ModuleList(maps[: min(depth, 1) if shared_coupling else depth])

    def prompts(self, features: Tensor | None = None) -> Prompts:
        maps = list(self.coupling)
        if self.options["shared_coupling"]:
            maps = maps * len(self.context)
        vision = tuple(f(context) for f, context in zip(maps, self.context, strict=True))  # (M, d_v)
        return Prompts(text=tuple(self.context), vision=vision)

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self) -> Classifier:
        text = encode_text(self.backbone, self.sentences, self.prompts())  # (C, E)
        return by_cosine(self.backbone, F.normalize(text, dim=-1))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "MaPLe":
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "MaPLe":
        """Take prompts and coupling from a checkpoint of the authors' code (file or state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        names = {"context.0": "ctx"}
        for i in range(len(self.context)):
            for part in ("weight", "bias"):
                theirs = f"compound_prompt_projections.{i - 1}" if i else "proj"
                names[f"coupling.{i}.{part}"] = f"{theirs}.{part}"
            if i:
                names[f"context.{i}"] = f"compound_prompts_text.{i - 1}"
        return names

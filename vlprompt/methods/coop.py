"""The words around the class name, learned."""

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
    refuse_names,
    with_names,
)
from vlprompt.official import load_into
from vlprompt.sentences import around_context, read_names


class CoOp(nn.Module):
    """CoOp: context vectors take the place of the words around the class name.

    Learns M d_t numbers, C times as many if `class_specific`. The context starts as the first
    `length` tokens of `init`, whose other words stay, or at random; with `class_specific`, the
    same words for each class. `position`: the class name at the "end", "middle" or "front".

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names, lengths or positions.
    Zhou et al. 2022, "Learning to Prompt for Vision-Language Models", section 3.2.
    """

    keeps_image_features = True

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        length: int = 4,
        init: str | None = None,
        position: str = "end",
        class_specific: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        check_text(backbone, 1)
        check_length("length", length)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {
            "length": length,
            "init": init,
            "position": position,
            "class_specific": class_specific,
            "seed": seed,
        }
        self.sentences = around_context(backbone, self.classnames, length, init, position)
        shape = (len(self.classnames), length) if class_specific else (length,)
        self.context = first_context(backbone, *shape, init=init, draw=generator(seed))

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts(text=(self.context,))

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one"""
        return F.normalize(encode_image(self.backbone, images), dim=-1)

    def classifier(self) -> Classifier:
        text = encode_text(self.backbone, self.sentences, self.prompts())  # (C, E)
        return by_cosine(self.backbone, F.normalize(text, dim=-1))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "CoOp":
        if self.options["class_specific"]:
            refuse_names(self, "a context for each class", "train it with class_specific=False")
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "CoOp":
        """Take the context from a checkpoint of the authors' code (a file, or its state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        return {"context": "ctx"}

"""The words around the class name, learned, and shifted by the image."""

from collections import OrderedDict
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
    linear,
    with_names,
)
from vlprompt.official import load_into
from vlprompt.sentences import around_context, read_names


class CoCoOp(nn.Module):
    """CoCoOp: a small net, the Meta-Net, shifts CoOp's context by what it sees in the image.

    Learns M d_t + (E + 1) h + (h + 1) d_t numbers, h = E / 16. The context starts as the first
    `length` tokens of `init`, whose other words stay, or at random.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names or lengths.
    Zhou et al. 2022, "Conditional Prompt Learning for Vision-Language Models", section 3.2.
    """

    keeps_image_features = True

    def __init__(
        self,
        backbone: Backbone,
        classnames: Sequence[str],
        *,
        length: int = 4,
        init: str | None = "a photo of a",
        seed: int = 0,
    ):
        super().__init__()
        check_text(backbone, 1)
        check_length("length", length)
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"length": length, "init": init, "seed": seed}
        self.sentences = around_context(backbone, self.classnames, length, init)
        draw = generator(seed)
        self.context = first_context(backbone, length, init=init, draw=draw)  # (M, d_t)
        hidden = max(1, backbone.embed_dim // 16)
        self.meta_net = nn.Sequential(
            OrderedDict(
                linear1=linear(backbone, backbone.embed_dim, hidden, draw),
                relu=nn.ReLU(),
                linear2=linear(backbone, hidden, backbone.text_width, draw),
            )
        )

    def prompts(self, features: Tensor | None = None) -> Prompts:
        """With features (B, E): one context an image. Without: the context before any shift."""
        if features is None:
            return Prompts(text=(self.context,))
        shift = self.meta_net(features)  # (B, d_t)
        return Prompts(text=(self.context + shift[:, None, None],))  # (B, 1, M, d_t)

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one: the Meta-Net too sees them so"""
        return F.normalize(encode_image(self.backbone, images), dim=-1)

    def classifier(self) -> Classifier:
        def classify(features: Tensor) -> Tensor:
            text = encode_text(self.backbone, self.sentences, self.prompts(features))  # (B, C, E)
            return by_cosine(self.backbone, F.normalize(text, dim=-1))(features)

        return classify

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "CoCoOp":
        return with_names(self, classnames)

    def load_official(self, source: str | PathLike | Mapping[str, Tensor]) -> "CoCoOp":
        """Take context and Meta-Net from a checkpoint of the authors' code (file or state dict)."""
        return load_into(self, source, self.official_names())

    def official_names(self) -> dict[str, str]:
        return {"context": "ctx"}  # and the Meta-Net's are the same

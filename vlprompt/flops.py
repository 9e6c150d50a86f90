"""Arithmetic: what a step cannot do without, and what it did. A multiply-add counts as two FLOPs.

The towers are counted; norms, activations, logits and the methods' own small maps are below one per cent.
A token gives keys and values, and, if anybody reads it, asks. Backwards through frozen weights a product costs once
more what it cost, and only tokens that a learnable one can have changed take part.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from vlprompt.backbone import Backbone
from vlprompt.sentences import Sentences

Result = TypeVar("Result")


def spent(call: Callable[[], Result]) -> tuple[Result, int]:
    """What `call()` returns, and the FLOPs of all matrix products that it ran, on the way back too."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not see into the fused layer
    try:
        with FlopCounterMode(display=False) as counter:
            result = call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return result, counter.get_total_flops()


def text_needed(
    backbone: Backbone, sentences: Sentences, *, depth: int = 1, images: int = 1, backward: bool = False
) -> float:
    """FLOPs of the features of C sentences with one context in front, one an image if `images` > 1.

    Nothing after an end token, the front once, the end tokens alone in the last layer; `depth` layers have contexts of
    their own. `backward`: and of the context's gradient.
    """
    width, layers = backbone.text_width, backbone.text_layers
    front, (classes, length) = sentences.front(one_context=True), sentences.tokens.shape
    place = torch.arange(length)  # (L,)
    is_open = (sentences.slots[0] >= 0) & (place < front)
    first = int(is_open.int().argmax()) if is_open.any() else length  # what stands before it never changes
    each = torch.where(place < first, 1, images)
    count = each * torch.where(place < front, 1, (place <= sentences.ends[:, None]).sum(0))  # (L,) of all sentences
    read = images * torch.bincount(sentences.ends, minlength=length)  # (L,)
    total = 0.0
    for i in range(layers):
        asks = read if i + 1 == layers else count * ~(is_open & (i + 1 < depth))
        changed = is_open if i == 0 else place >= first
        total += _layer(width, count, asks, place + 1, changed, changed.cumsum(0), backward)
    project = 2 * width * backbone.embed_dim * classes * images
    return total + project * (2 if backward and first < length else 1)


def image_needed(backbone: Backbone, images: int, *, depth: int = 0, length: int = 0, backward: bool = False) -> float:
    """FLOPs of the features of images through a ViT with `length` tokens in each of its first `depth` layers.

    The class token alone in the last layer. `backward`: and of the tokens' gradients.
    """
    width, layers = backbone.vision_width, backbone.vision_layers
    patches, length = (backbone.image_size // backbone.patch_size) ** 2, length if depth else 0
    count = images * torch.tensor([1, patches, length])  # class token, patches, prompts
    sees = torch.full((3,), 1 + patches + length)
    prompts, backward = torch.tensor([False, False, True]), backward and length > 0
    total = 2 * 3 * backbone.patch_size**2 * width * patches * images  # the cut into patches
    for i in range(layers):
        asks = count * ~(prompts & (i + 1 < depth)) if i + 1 < layers else count * torch.tensor([1, 0, 0])
        changed = prompts if i == 0 else torch.ones(3, dtype=torch.bool)
        moved = torch.full((3,), length) if i == 0 else sees
        total += _layer(width, count, asks, sees, changed, moved, backward)
    return total + 2 * width * backbone.embed_dim * images * (2 if backward else 1)


def _layer(
    width: int, count: Tensor, asks: Tensor, sees: Tensor, changed: Tensor, moved: Tensor, backward: bool
) -> float:
    """FLOPs of one block on kinds of tokens, one a place of the vectors.

    Of each kind, `count` give keys and values and `asks` ask; each sees `sees` keys, `moved` of them of tokens that a
    learnable one can have changed, as tokens of this kind are themselves where `changed`.
    """
    d, count, asks = width, count.double(), asks.double()
    flops = 4 * d**2 * count + asks * (20 * d**2 + 4 * d * sees)
    if backward:
        asks = asks * (moved > 0)
        attention = 6 * d * moved + changed * (2 * d * (sees - moved) + 2 * d * sees)  # dV, dK, dP; rest of dP, dQ
        flops += 4 * d**2 * count * changed + asks * (18 * d**2 + 2 * d**2 * changed + attention)
    return float(flops.sum())

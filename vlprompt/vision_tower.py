"""The image tower, fast: tokens that nobody will read are not computed.

A prompt that the next layer replaces gives keys and values only; so does, in the last layer,
every token but the class token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.blocks import finish, merge, project, split


def embed_patches(visual: nn.Module, images: Tensor) -> Tensor:
    """Images (B, 3, H, W) -> class token and patches with their positions, (B, 1 + N, d)."""
    patches = visual.conv1(images).flatten(2).transpose(1, 2)  # (B, N, d)
    first = visual.class_embedding.expand(len(images), 1, -1)  # (B, 1, d)
    return torch.cat([first, patches], dim=1) + visual.positional_embedding


def image_features(visual: nn.Module, images: Tensor, prompts: tuple[Tensor, ...]) -> Tensor:
    """Features (B, E) of images, with tokens (M, d) a layer after the patches. VPT, section 3.2;
    through `ln_pre` and without a position, as MaPLe's authors put them.
    """
    x = embed_patches(visual, images)  # (B, 1 + N, d)
    own = x.shape[1]
    if prompts:
        x = torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1)  # (B, 1+N+M, d)
    x = visual.ln_pre(x)
    blocks = visual.transformer.resblocks
    for i, block in enumerate(blocks):
        if 0 < i < len(prompts):
            x = torch.cat([x, prompts[i].expand(len(x), -1, -1)], dim=1)
        replaced = i + 1 < len(prompts)
        keep = 1 if i + 1 == len(blocks) else own if replaced else x.shape[1]
        x = step(block, x, keep)  # (B, keep, d)
    return visual.ln_post(x[:, 0]) @ visual.proj if visual.proj is not None else visual.ln_post(x[:, 0])


def step(block: nn.Module, x: Tensor, keep: int) -> Tensor:
    """One block on (B, T, d): the first `keep` tokens ask, all answer. -> (B, keep, d)"""
    normed = block.ln_1(x)
    if keep == x.shape[1]:
        q, k, v = project(block, normed, "qkv")
    else:
        (q,), (k, v) = project(block, normed[:, :keep], "q"), project(block, normed, "kv")
    attended = F.scaled_dot_product_attention(split(block, q), split(block, k), split(block, v))
    return finish(block, x[:, :keep], merge(attended))

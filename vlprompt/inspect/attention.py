"""Where the class token looks: its attention to itself, to the patches and to the prompts, layer by layer.

The numbers are those that the engine computes on its way and never writes down: the same weights, every token kept.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vlprompt.backbone import Backbone
from vlprompt.blocks import project, split
from vlprompt.engine import Prompts, check_images, check_vision, own_blocks
from vlprompt.plots import COLOURS, figure
from vlprompt.vision_tower import embed_patches, step

LOOKS = {  # whom it looks at -> colour and hatch
    "itself": (COLOURS["frozen"], ""),
    "patches": (COLOURS["vision"], ".."),
    "prompts": (COLOURS["learned"], "////"),
}


@torch.no_grad()
def token_states(backbone: Backbone, images: Tensor, prompts: Prompts | None = None) -> list[Tensor]:
    """What goes into each layer of the image tower, and last what comes out: (B, 1 + N + M, d), L + 1 times.

    images (B, 3, H, W), normalised. The order of the tokens is class token, N patches, M prompts; a layer's own
    prompts are among what goes into it. ValueError for images or towers that the engine does not take either.
    """
    prompts = prompts or Prompts()
    check_images(backbone, images)
    check_vision(backbone, max(1, len(prompts.vision)))
    if not own_blocks(backbone.visual):
        raise ValueError(f"the image tower of {backbone.name} has blocks of its own kind, whose attention is not known")
    visual, deeper = backbone.visual, prompts.vision[1:]
    x = embed_patches(visual, images if prompts.pixels is None else images + prompts.pixels)  # (B, 1 + N, d)
    own = x.shape[1]
    if prompts.vision:
        x = torch.cat([x, prompts.vision[0].expand(len(x), -1, -1)], dim=1)
    states = [visual.ln_pre(x)]
    for i, block in enumerate(visual.transformer.resblocks):
        x = step(block, states[-1], states[-1].shape[1])
        if i < len(deeper):
            x = torch.cat([x[:, :own], deeper[i].expand(len(x), -1, -1)], dim=1)  # replaced
        states.append(x)
    return states


@torch.no_grad()
def class_attention(backbone: Backbone, images: Tensor, prompts: Prompts | None = None) -> Tensor:
    """How the class token divides its attention: (L, B, heads, 1 + N + M), which adds up to 1 over the last.

    images (B, 3, H, W), normalised; the order of the tokens and the errors are those of `token_states`.
    Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1, at the class token's query.
    """
    states = token_states(backbone, images, prompts)[:-1]
    blocks = backbone.visual.transformer.resblocks
    return torch.stack([first_row(block, x) for block, x in zip(blocks, states, strict=True)])


def first_row(block: torch.nn.Module, x: Tensor) -> Tensor:
    """The first token's attention in a block on (B, T, d): softmax over T of q k / sqrt(d / heads). -> (B, heads, T)"""
    q, k = (split(block, part) for part in project(block, block.ln_1(x), "qk"))  # (B, heads, T, d / heads)
    scores = (q[:, :, :1] @ k.transpose(-2, -1)).squeeze(2) / q.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


def attention_shares(attention: Tensor, patches: int) -> dict[str, Tensor]:
    """(L, B, heads, 1 + N + M) -> the share of itself, of the N patches and of the prompts, (L,) each.

    Mean over images and heads; the three add up to 1 in each layer. ValueError for more patches than there are tokens.
    """
    if not 1 <= patches < attention.shape[-1]:
        raise ValueError(f"{patches} patches, but the attention goes to {attention.shape[-1]} tokens, one the class's")
    mean = attention.mean(dim=(1, 2))  # (L, T)
    parts = mean[:, :1], mean[:, 1 : 1 + patches], mean[:, 1 + patches :]
    return {name: part.sum(dim=1) for name, part in zip(LOOKS, parts, strict=True)}


def plot_attention_shares(shares: Mapping[str, Tensor], title: str) -> tuple[Figure, dict[str, list[float]]]:
    """Stacked bars, a layer each: what part of its attention the class token gives to whom, in per cent."""
    drawn, axes = figure(7, 3.4)
    data = {name: [100 * value for value in share.tolist()] for name, share in shares.items()}
    below = np.zeros(len(next(iter(data.values()))))
    layers = range(1, len(below) + 1)
    for name, values in data.items():
        colour, hatch = LOOKS[name]
        axes.bar(layers, values, bottom=below, color=colour, hatch=hatch, edgecolor="white", label=name)
        below = below + values
    axes.set_xticks(layers)
    axes.set_xlabel("layer")
    axes.set_ylabel("attention (%)")
    axes.set_title(title, loc="left")
    drawn.legend(loc="outside lower center", ncols=3, frameon=False)
    return drawn, data


def plot_attention_maps(
    scenes: Tensor, attention: Tensor, patches: int, layers: Sequence[int], title: str = ""
) -> tuple[Figure, np.ndarray]:
    """Scenes (B, 3, H, W) uint8, a row each, dark where the class token does not look, in some layers (from 1).

    `attention` (L, B, heads, 1 + N + M), mean over heads; above each picture stands how much of it goes to the N
    patches. The data are the shares of the patches, (B, len(layers), side, side).
    """
    side = math.isqrt(patches)
    mean = attention.mean(dim=2)[[i - 1 for i in layers], :, 1 : 1 + patches]  # (len(layers), B, N)
    maps = mean.unflatten(-1, (side, side)).transpose(0, 1).cpu().numpy()
    rows, columns = len(scenes), len(layers) + 1
    drawn = Figure(figsize=(1.25 * columns, 1.45 * rows + 0.3), layout="constrained")
    for scene, row, line in zip(scenes, maps, drawn.subplots(rows, columns, squeeze=False), strict=True):
        picture = scene.permute(1, 2, 0).cpu().numpy() / 255
        scale = len(picture) // side
        for k, axes in enumerate(line):
            axes.axis("off")
            light = np.ones((side, side)) if k == 0 else row[k - 1] / row[k - 1].max()
            axes.imshow(picture * np.kron(light, np.ones((scale, scale)))[..., None], vmin=0, vmax=1)
            axes.set_title(
                "the scene" if k == 0 else f"layer {layers[k - 1]}: {100 * row[k - 1].sum():.0f} %", fontsize=8
            )
    drawn.suptitle(title, fontsize=11)
    return drawn, maps

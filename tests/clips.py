"""Small CLIPs with random weights, for the tests of the engine and the methods."""

import dataclasses
from functools import cache

import open_clip
import torch

from vlprompt.backbone import wrap

NAMES = ["golden retriever", "cat", "kite (bird of prey)", "forest_path", "Boeing 747-300"]


@cache
def tokenizer(context):
    return open_clip.SimpleTokenizer(context_length=context)


@cache
def clip(
    *,
    vision=(2, 32),
    text=(2, 32),
    embed=24,
    size=24,
    patch=8,
    context=24,
    quick_gelu=True,
    kind=open_clip.CLIP,
    name="small",
    **text_options,
):
    """A frozen random CLIP; `vision` and `text` are (layers, width), heads are 16 wide."""
    layers, width = vision
    look = (
        {"layers": layers, "width": width, "head_width": 16}
        if isinstance(layers, int)
        else {
            "layers": layers,
            "width": width,
        }
    )
    look |= {"patch_size": patch, "image_size": size}
    layers, width = text
    read = {"layers": layers, "width": width, "heads": width // 16, "context_length": context}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(embed, look, read | text_options, quick_gelu=quick_gelu)
        with torch.no_grad():  # so that no bias is zero and no norm is plain
            for parameter_name, parameter in model.named_parameters():
                if parameter_name != "logit_scale" and "token_embedding" not in parameter_name:
                    parameter += 0.05 * torch.randn(parameter.shape)
                elif "token_embedding" in parameter_name:
                    parameter *= 10  # words that differ
            model.logit_scale.fill_(3.0)
    return wrap(model, tokenizer(context), None, name=name)


def plain(backbone):
    return dataclasses.replace(backbone, plain=True)


def images(backbone, count=2, seed=0):
    size = backbone.image_size
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def apart(ours, theirs):
    """The largest difference, relative to the largest number."""
    return float((ours - theirs).detach().abs().max() / theirs.detach().abs().max().clamp(min=1e-12))

"""The arithmetic of open_clip's transformer block, in parts that the fast towers put together."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def project(block: nn.Module, x: Tensor, parts: str) -> tuple[Tensor, ...]:
    """Queries, keys and values of normed tokens (..., d), or only some: "qkv", "q" or "kv"."""
    attn, width = block.attn, x.shape[-1]
    rows = slice("qkv".index(parts[0]) * width, ("qkv".index(parts[-1]) + 1) * width)
    bias = None if attn.in_proj_bias is None else attn.in_proj_bias[rows]
    return F.linear(x, attn.in_proj_weight[rows], bias).chunk(len(parts), dim=-1)


def split(block: nn.Module, x: Tensor) -> Tensor:
    """(N, T, d) -> (N, heads, T, d / heads)"""
    return x.unflatten(-1, (block.attn.num_heads, -1)).transpose(1, 2)


def merge(x: Tensor) -> Tensor:
    """(N, heads, T, d / heads) -> (N, T, d)"""
    return x.transpose(1, 2).flatten(2)


def finish(block: nn.Module, x: Tensor, attended: Tensor) -> Tensor:
    """What a block does after its attention: add it, then add the MLP. (..., d) -> (..., d)"""
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def put(prompt: Tensor, slots: Tensor, x: Tensor) -> Tensor:
    """`x` (F, R, d) with the vectors of `prompt` (..., M, d) at the places that `slots` (R,) gives.

    A slot is the number of a vector, or -1 where `x` stays.
    """
    return torch.where((slots >= 0)[:, None], prompt[..., slots.clamp(min=0), :], x)

"""The text tower, fast and exact, for causal towers that are read at the end token.

- What stands at the front of all sentences (start token, context) is read once, and its keys and
  values are kept; with one context an image, once an image.
- Each sentence adds its own tokens up to the end token. They are packed: the matrices meet real
  tokens only, and the attention, which is cheap, works on a grid as wide as the longest sentence.
- In the last layer the end token alone asks.
- What would not fit the memory is done in chunks, computed again on the way back.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vlprompt.backbone import Backbone
from vlprompt.blocks import finish, merge, project, put, split
from vlprompt.sentences import Sentences

# Keys and values of the front, a layer: each (F, heads, P, d / heads)
Past = list[tuple[Tensor, Tensor]]


def text_features(backbone: Backbone, sentences: Sentences, prompts: tuple[Tensor, ...]) -> Tensor:
    """Features (C, E) of C sentences with context vectors; (B, C, E) with a context an image."""
    text = backbone.text
    context = prompts[0] if prompts else None  # (M, d), (C, M, d) or (B, 1, M, d)
    by_class = context is not None and context.ndim == 3
    by_image = context is not None and context.ndim == 4
    fronts = len(context) if by_image else 1  # F: B, or one for all images
    front = sentences.front(one_context=not by_class)  # P
    past = [
        (k.expand(fronts, -1, -1, -1), v.expand(fronts, -1, -1, -1))
        for k, v in read_front(text, sentences, front, prompts)
    ]

    def own(images: slice, classes: slice) -> Tensor:
        pack = pack_sentences(sentences, front, classes, backbone.device)
        here = [(k[images], v[images]) for k, v in past]
        mine = context[classes] if by_class else context[images] if by_image else context
        return read_own(text, pack, here, mine, prompts[1:])

    training = torch.is_grad_enabled() and any(p.requires_grad for p in prompts)
    chunks = cut(backbone, sentences, fronts, front, training)
    if training and len(chunks) * len(chunks[0][1]) > 1:
        own = partial(checkpoint, own, use_reentrant=False, preserve_rng_state=False)
    rows = [torch.cat([own(images, classes) for classes in row], dim=1) for images, row in chunks]
    features = torch.cat(rows)  # (F, C, E)
    return features if by_image else features[0]


def read_front(
    text: nn.Module, sentences: Sentences, front: int, prompts: tuple[Tensor, ...]
) -> Past:
    """Read the first `front` places, which all classes share, and keep their keys and values."""
    device = text.positional_embedding.device
    slots = sentences.slots[0, :front].to(device)  # (P,)
    x = text.token_embedding(sentences.tokens[0, :front].to(device))[None]  # (1, P, d)
    if prompts and int(sentences.slots[0, :front].max()) >= 0:
        context = prompts[0] if prompts[0].ndim == 2 else prompts[0].flatten(0, 1)
        x = put(context, slots, x)  # (F, P, d)
    x = x + text.positional_embedding[:front]
    past = []
    blocks = text.transformer.resblocks
    for i, block in enumerate(blocks):
        if 0 < i < len(prompts):
            x = put(prompts[i], slots, x)
        if i + 1 == len(blocks):
            k, v = project(block, block.ln_1(x), "kv")
            past.append((split(block, k), split(block, v)))
            break
        q, k, v = (split(block, part) for part in project(block, block.ln_1(x), "qkv"))
        past.append((k, v))
        x = finish(block, x, merge(F.scaled_dot_product_attention(q, k, v, is_causal=True)))
    return past


@dataclass(frozen=True, eq=False)
class Pack:
    """The own tokens of c sentences in one row of R, and their places on a grid of c by T."""

    ids: Tensor  # (R,)
    slots: Tensor  # (R,) the context vector that stands here, or -1
    classes: Tensor  # (R,) which of the c sentences
    places: Tensor  # (R,) in the whole sentence, front included
    grid: Tensor  # (R,) on the grid, flattened
    last: Tensor  # (c,) the end tokens in the row
    causal: Tensor  # (T, P + T) who sees whom on the grid
    to_end: Tensor  # (c, 1, 1, P + T) what an end token sees
    open: bool  # whether any context vector stands in the row


def pack_sentences(sentences: Sentences, front: int, classes: slice, device: torch.device) -> Pack:
    ends = sentences.ends[classes]  # (c,)
    width = int(ends.max()) + 1 - front  # T
    real = torch.arange(front, front + width) <= ends[:, None]  # (c, T)
    each, place = real.nonzero(as_tuple=True)  # (R,)
    whole = place + front
    slots = sentences.slots[classes][each, whole]
    return Pack(
        ids=sentences.tokens[classes][each, whole].to(device),
        slots=slots.to(device),
        classes=each.to(device),
        places=whole.to(device),
        grid=(each * width + place).to(device),
        last=((ends + 1 - front).cumsum(0) - 1).to(device),
        causal=torch.ones(width, front + width, dtype=torch.bool, device=device).tril(front),
        to_end=(torch.arange(front + width) <= ends[:, None])[:, None, None].to(device),
        open=bool((slots >= 0).any()),
    )


def read_own(
    text: nn.Module, pack: Pack, past: Past, context: Tensor | None, deep: tuple[Tensor, ...]
) -> Tensor:
    """Read the own tokens of c sentences behind each of F fronts. -> features (F, c, E)"""
    c, width = len(pack.last), len(pack.causal)  # T
    x = text.token_embedding(pack.ids)  # (R, d)
    if pack.open:
        x = put_first(context, pack, x)
    x = x + text.positional_embedding[pack.places]
    fronts = len(past[0][0])  # F
    x = x.expand(fronts, -1, -1)  # (F, R, d)
    blocks = text.transformer.resblocks

    def on_grid(block: nn.Module, part: Tensor) -> Tensor:
        """(F, R, d) -> (F c, heads, T, d / heads); the grid's empty places are never seen"""
        empty = part.new_zeros(fronts, c * width, part.shape[-1])
        return split(block, empty.index_copy(1, pack.grid, part).view(fronts * c, width, -1))

    def behind(kept: Tensor, own: Tensor) -> Tensor:
        """Keys or values of the front, then each sentence's own: (F c, heads, P + T, d / heads)"""
        kept = kept[:, None].expand(-1, c, -1, -1, -1).flatten(0, 1)
        return torch.cat([kept, own], dim=2)

    for i, block in enumerate(blocks):
        if 0 < i <= len(deep) and pack.open:
            x = put(deep[i - 1], pack.slots, x)
        normed = block.ln_1(x)
        if i + 1 == len(blocks):
            x = x[:, pack.last]  # (F, c, d)
            (q,), (k, v) = project(block, normed[:, pack.last], "q"), project(block, normed, "kv")
            q = split(block, q.reshape(fronts * c, 1, -1))
            mask = pack.to_end.repeat(fronts, 1, 1, 1)
        else:
            q, k, v = project(block, normed, "qkv")
            q, mask = on_grid(block, q), pack.causal
        k, v = behind(past[i][0], on_grid(block, k)), behind(past[i][1], on_grid(block, v))
        attended = merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        attended = attended.view(fronts, -1, attended.shape[-1])  # (F, c T, d), or (F, c, d)
        if i + 1 < len(blocks):
            attended = attended.index_select(1, pack.grid)  # (F, R, d)
        x = finish(block, x, attended)
    x = text.ln_final(x)  # (F, c, d)
    projection = text.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Module) else x @ projection


def put_first(context: Tensor, pack: Pack, x: Tensor) -> Tensor:
    """The first layer's context vectors at the open places of a row (R, d). -> (F, R, d)"""
    if context.ndim == 3:  # one a class, (c, M, d)
        own = context[pack.classes, pack.slots.clamp(min=0)]  # (R, d)
        return torch.where((pack.slots >= 0)[:, None], own, x)[None]
    return put(context if context.ndim == 2 else context[:, 0], pack.slots, x)


def cut(
    backbone: Backbone, sentences: Sentences, fronts: int, front: int, training: bool
) -> list[tuple[slice, list[slice]]]:
    """Slices of images, each with slices of classes, that fit into `backbone.memory` bytes."""
    own = sentences.ends + 1 - front  # (C,) tokens
    vectors = 16 * own + 4 * own.max() + 2 * front  # (C,) in MLP and norms; in the attention's grid
    layers = backbone.text_layers if training else 1  # what the way back needs is kept in each
    one = 4 * backbone.text_width * layers * int(vectors.sum())  # bytes of all classes, one front
    images = max(1, min(fronts, backbone.memory // one))  # at once
    parts = min(len(own), -(-one // backbone.memory))  # where one image with all is too much
    edges = [len(own) * i // parts for i in range(parts + 1)]
    row = [slice(a, b) for a, b in pairwise(edges)]
    return [(slice(i, i + images), row) for i in range(0, fronts, images)]

"""The text tower, fast and exact, for causal towers that are read at the end token.

- What stands at the front of all sentences (start token, context) is read once, and its keys and
  values are kept; with one context an image, once an image.
- Each sentence adds its own tokens up to the end token. They are packed: the matrices meet real
  tokens only, and the attention, which is cheap, a grid whose lines hold several sentences each.
- In the last layer the end token alone asks.
- What would not fit the memory is done in chunks, computed again on the way back.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vlprompt.backbone import Backbone
from vlprompt.blocks import finish, merge, project, put, split
from vlprompt.sentences import Sentences

# Keys and values of the front, a layer: each (F, heads, P, d / heads)
Past = list[tuple[Tensor, Tensor]]

LINE = 48  # tokens in a line of the grid: few lines cost little to handle, long ones much to compare


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
        pack = packed(sentences, front, classes, backbone.device)
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


def read_front(text: nn.Module, sentences: Sentences, front: int, prompts: tuple[Tensor, ...]) -> Past:
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
class Grid:
    """Where the tokens of a row stand on N lines of T places, and what each place sees."""

    lines: int  # N
    width: int  # T
    places: Tensor  # (R,) of the row's tokens, on the flattened grid
    sees: Tensor  # (N, 1, T, P + K) true for what it sees: the front, and of its line's K own tokens


@dataclass(frozen=True, eq=False)
class Pack:
    """The own tokens of c sentences in one row of R, and their places for the attention."""

    ids: Tensor  # (R,)
    slots: Tensor  # (R,) the context vector that stands here, or -1
    classes: Tensor  # (R,) which of the c sentences
    places: Tensor  # (R,) in the whole sentence, front included
    last: Tensor  # (c,) the end tokens in the row
    grid: Grid  # of all of them
    ends: Grid  # of the end tokens alone, which ask in the last layer
    open: bool  # whether any context vector stands in the row


Key = tuple[int, int | None, int | None, torch.device]
_packs: WeakKeyDictionary[Sentences, dict[Key, Pack]] = WeakKeyDictionary()


@torch.compiler.disable  # numbers from the CPU that a compiled graph takes as they are
def packed(sentences: Sentences, front: int, classes: slice, device: torch.device) -> Pack:
    """The pack of some classes, made once for as long as the sentences live."""
    mine = _packs.setdefault(sentences, {})
    key = (front, classes.start, classes.stop, device)
    if key not in mine:
        mine[key] = pack_sentences(sentences, front, classes, device)
    return mine[key]


def pack_sentences(sentences: Sentences, front: int, classes: slice, device: torch.device) -> Pack:
    own = sentences.ends[classes] + 1 - front  # (c,) tokens of each sentence
    line, start, order = (torch.tensor(part) for part in zip(*fill_lines(own.tolist()), strict=True))  # (c,)
    lines, width, most = int(line[-1]) + 1, int((start + own).max()), int(order.max()) + 1
    each = torch.arange(len(own)).repeat_interleave(own)  # (R,)
    last = own.cumsum(0) - 1
    place = torch.arange(len(each)) - (last + 1 - own)[each]  # (R,) in its sentence, after the front
    slots = sentences.slots[classes][each, place + front]

    places = line[each] * width + start[each] + place  # (R,)
    holds = torch.full((lines * width,), -1).index_copy(0, places, each).view(lines, width)  # class, or -1
    own_seen = (holds[:, :, None] == holds[:, None]).tril()  # (N, T, T)
    sees = torch.cat([own_seen.new_ones(lines, width, front), own_seen], dim=2)  # (N, T, P + T)
    end_places = line * most + order  # (c,)
    end_sees = sees.new_ones(lines * most, front + width).index_copy(0, end_places, sees.flatten(0, 1)[places[last]])
    return Pack(
        ids=sentences.tokens[classes][each, place + front].to(device),
        slots=slots.to(device),
        classes=each.to(device),
        places=(place + front).to(device),
        last=last.to(device),
        grid=Grid(lines, width, places.to(device), sees[:, None].to(device)),
        ends=Grid(lines, most, end_places.to(device), end_sees.view(lines, 1, most, -1).to(device)),
        open=bool((slots >= 0).any()),
    )


def fill_lines(counts: list[int]) -> list[tuple[int, int, int]]:
    """Of each sentence, in turn: its line, where in the line it starts, and the how many-th it is there."""
    room = max(LINE, *counts)
    found, line, filled, order = [], 0, 0, 0
    for count in counts:
        if filled + count > room:
            line, filled, order = line + 1, 0, 0
        found.append((line, filled, order))
        filled, order = filled + count, order + 1
    return found


def read_own(text: nn.Module, pack: Pack, past: Past, context: Tensor | None, deep: tuple[Tensor, ...]) -> Tensor:
    """Read the own tokens of c sentences behind each of F fronts. -> features (F, c, E)"""
    x = text.token_embedding(pack.ids)  # (R, d)
    if pack.open:
        x = put_first(context, pack, x)
    x = x + text.positional_embedding[pack.places]
    fronts = len(past[0][0])  # F
    x = x.expand(fronts, -1, -1)  # (F, R, d)
    blocks = text.transformer.resblocks

    def on_grid(block: nn.Module, grid: Grid, part: Tensor) -> Tensor:
        """(F, R, d) -> (F N, heads, T, d / heads); nobody sees the grid's empty places"""
        empty = part.new_zeros(fronts, grid.lines * grid.width, part.shape[-1])
        full = empty.index_copy(1, grid.places, part)
        return split(block, full.view(fronts * grid.lines, grid.width, -1))

    def behind(kept: Tensor, own: Tensor) -> Tensor:
        """Keys or values of the front, then each line's own: (F N, heads, P + T, d / heads)"""
        kept = kept[:, None].expand(-1, pack.grid.lines, -1, -1, -1).flatten(0, 1)
        return torch.cat([kept, own], dim=2)

    def attend(block: nn.Module, kept: tuple[Tensor, Tensor], normed: Tensor, asking: Grid, scores: Tensor) -> Tensor:
        """What the tokens of `asking` read, (F, R, d) or (F, c, d); a function, so that no part outlives it"""
        if asking is pack.ends:
            (q,), (k, v) = project(block, normed[:, pack.last], "q"), project(block, normed, "kv")
        else:
            q, k, v = project(block, normed, "qkv")
        k, v = (behind(front, on_grid(block, pack.grid, own)) for front, own in zip(kept, (k, v), strict=True))
        attended = F.scaled_dot_product_attention(on_grid(block, asking, q), k, v, attn_mask=scores)
        return merge(attended).view(fronts, -1, x.shape[-1]).index_select(1, asking.places)

    def masked(grid: Grid) -> Tensor:
        """What is added to the scores: (F N, 1, T, P + T)"""
        unseen = torch.zeros_like(grid.sees, dtype=x.dtype).masked_fill(~grid.sees, -torch.inf)
        return unseen.repeat(fronts, 1, 1, 1)

    everywhere, at_end = masked(pack.grid), masked(pack.ends)
    for i, block in enumerate(blocks):
        if 0 < i <= len(deep) and pack.open:
            x = put(deep[i - 1], pack.slots, x)
        if i + 1 < len(blocks):
            x = finish(block, x, attend(block, past[i], block.ln_1(x), pack.grid, everywhere))
        else:
            attended = attend(block, past[i], block.ln_1(x), pack.ends, at_end)
            x = finish(block, x[:, pack.last], attended)  # (F, c, d)
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
    vectors = 16 * own + 5 * own + 2 * front  # (C,) in MLP and norms; on the grid, nearly full
    layers = backbone.text_layers if training else 1  # what the way back needs is kept in each
    one = 4 * backbone.text_width * layers * int(vectors.sum())  # bytes of all classes, one front
    images = max(1, min(fronts, backbone.memory // one))  # at once
    parts = min(len(own), -(-one // backbone.memory))  # where one image with all is too much
    edges = [len(own) * i // parts for i in range(parts + 1)]
    row = [slice(a, b) for a, b in pairwise(edges)]
    return [(slice(i, i + images), row) for i in range(0, fronts, images)]

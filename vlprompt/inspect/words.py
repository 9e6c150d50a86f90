"""Reading what a text prompt has learned: the words near its vectors, and the way that class vectors went meanwhile.

There are always some nearest words. So read vectors that nobody learned, `random_like`, beside those that were learned.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import encode_text

Word = tuple[str, float]  # and its cosine with a vector, or its distance from it


@torch.no_grad()
def nearest_words(backbone: Backbone, vectors: Tensor, by: str = "cosine", top: int = 5) -> list[list[Word]]:
    """The `top` words nearest to each vector of (M, d_t), nearest first, each with its cosine or distance.

    Words are the tokens that the CLIP has met, without start and end token; a piece that another one must follow is
    written with a hyphen, "derel-". `by` "distance" is the Euclidean one. A bad argument is a ValueError.
    Zhou et al. 2022, "Learning to Prompt for Vision-Language Models", section 4.3, reads contexts by distance.
    """
    width = backbone.text_width
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise ValueError(
            f"vectors have the shape {tuple(vectors.shape)}, but (M, {width}) is wanted: some of one context"
        )
    if by not in ("cosine", "distance"):
        raise ValueError(f"by={by!r}; words are near by 'cosine' or by 'distance'")
    ids = known_ids(backbone)
    if not 1 <= top <= len(ids):
        raise ValueError(f"top is {top}, but {backbone.name} knows {len(ids)} words: give 1 to {len(ids)}")
    words = backbone.text.token_embedding.weight[ids]  # (W, d_t)
    if by == "cosine":
        values = F.normalize(vectors, dim=-1) @ F.normalize(words, dim=-1).T  # (M, W)
    else:
        values = torch.cdist(vectors, words)
    best, places = values.topk(top, dim=1, largest=by == "cosine")
    return [
        [(word(backbone, int(ids[place])), float(value)) for place, value in zip(*row, strict=True)]
        for row in zip(places, best, strict=True)
    ]


def known_ids(backbone: Backbone) -> Tensor:
    """The ids of the tokens that training met (its other vectors are zero), without start and end token: (W,)."""
    if not hasattr(backbone.tokenizer, "sot_token_id"):
        raise ValueError(f"{backbone.name} has no CLIP tokenizer, so its words cannot be read")
    met = (backbone.text.token_embedding.weight != 0).any(dim=1)
    met[[backbone.tokenizer.sot_token_id, backbone.tokenizer.eot_token_id]] = False
    return met.nonzero().flatten()


def word(backbone: Backbone, token: int) -> str:
    """A token as a reader would write it."""
    text = backbone.tokenizer.decode([token])
    return text[:-1] if text.endswith(" ") else f"{text}-"


def random_like(vectors: Tensor, seed: int = 0) -> Tensor:
    """Vectors as long as these, (..., d), in directions drawn at random: what nobody has learned."""
    draw = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(seed)).to(vectors)
    return F.normalize(draw, dim=-1) * vectors.detach().norm(dim=-1, keepdim=True)


@torch.no_grad()
def class_path(method: nn.Module, states: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Where a method's classes stood at each of S moments of its training: (S, C, E), of length one.

    `states` are its `state_dict()`s, copied at those moments; the method stays as it is. Of CoCoOp it is the way of the
    context before any shift. No states, and a method whose text learns nothing, are a ValueError.
    """
    if not states:
        raise ValueError("there are no states: copy method.state_dict() while it trains")
    if not hasattr(method, "sentences") or not method.prompts().text:
        raise ValueError(f"the classes of {type(method).__name__} stand still: it learns nothing in the text tower")
    moved = deepcopy(method)  # shares the backbone
    places = []
    for state in states:
        moved.load_state_dict(state)
        places.append(F.normalize(encode_text(moved.backbone, moved.sentences, moved.prompts()), dim=-1))
    return torch.stack(places)


@torch.no_grad()
def to_plane(points: Tensor) -> tuple[Tensor, float]:
    """Points (..., E) on the plane in which they differ most, (..., 2), and which share of their variance it shows.

    The two first principal axes, each turned so that its largest entry is positive. Fewer than three points are a
    ValueError.
    """
    rows = points.flatten(0, -2).double()  # (N, E)
    if len(rows) < 3:
        raise ValueError(f"{len(rows)} points make no plane; give three or more")
    rows = rows - rows.mean(0)
    _, lengths, axes = torch.linalg.svd(rows, full_matrices=False)  # (K,), (K, E)
    axes = axes[:2] * axes[:2].gather(1, axes[:2].abs().argmax(1, keepdim=True)).sign()
    share = float(lengths[:2].square().sum() / lengths.square().sum().clamp(min=1e-30))
    return (rows @ axes.T).view(*points.shape[:-1], 2), share

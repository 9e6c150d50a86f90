"""What the methods share: first values, fixed text, heads, and other class names."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import encode_text
from vlprompt.sentences import fill

Classifier = Callable[[Tensor], Tensor]  # features (B, E) -> logits (B, C)


def generator(seed: int) -> torch.Generator:
    """Random numbers of a method's own, the same on every device."""
    return torch.Generator().manual_seed(seed)


def vectors(backbone: Backbone, *shape: int, draw: torch.Generator) -> nn.Parameter:
    """Learnable vectors from N(0, 0.02), as CoOp and MaPLe draw them."""
    return nn.Parameter((0.02 * torch.randn(shape, generator=draw)).to(backbone.device))


def first_context(backbone: Backbone, *shape: int, init: str | None, draw: torch.Generator) -> nn.Parameter:
    """The first layer's context, (M, d_t) or (C, M, d_t): `init`'s first M tokens, or random."""
    if init is None:
        return vectors(backbone, *shape, backbone.text_width, draw=draw)
    ids = torch.tensor(backbone.token_ids(init.replace("_", " "))[: shape[-1]])
    words = backbone.text.token_embedding(ids.to(backbone.device)).detach()  # (M, d_t)
    return nn.Parameter(words.expand(*shape, -1).clone())


def linear(backbone: Backbone, inputs: int, outputs: int, draw: torch.Generator) -> nn.Linear:
    """A linear map with torch's default first values, drawn from `draw`."""
    layer = torch.nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=draw)
    nn.init.uniform_(layer.bias, -bound, bound, generator=draw)
    return layer.to(backbone.device)


def linear_head(backbone: Backbone, classes: int, draw: torch.Generator) -> nn.Linear:
    """VPT's head: (E + 1) C numbers; Kaiming normal over the classes, the bias at -log 99."""
    layer = torch.nn.utils.skip_init(nn.Linear, backbone.embed_dim, classes)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", generator=draw)
    nn.init.constant_(layer.bias, -4.595)
    return layer.to(backbone.device)


@torch.no_grad()
def fixed_text(backbone: Backbone, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Text features (C, E) of names in templates: normalise, average over templates, normalise."""
    each = [F.normalize(encode_text(backbone, fill(backbone, t, names)), dim=-1) for t in templates]
    return each[0] if len(each) == 1 else F.normalize(torch.stack(each).mean(0), dim=-1)


def by_cosine(backbone: Backbone, text: Tensor) -> Classifier:
    """Logits: scaled cosines with text features, (C, E) for all images or (B, C, E) for each."""
    if text.ndim == 3:
        return lambda features: torch.einsum("be,bce->bc", backbone.logit_scale * features, text)
    return lambda features: backbone.logit_scale * features @ text.T


def check_length(name: str, length: int, depth: int = 1) -> None:
    """ValueError unless a prompt that stands in `depth` layers has a length of at least one."""
    if depth and (not isinstance(length, int) or length < 1):
        raise ValueError(f"{name}={length!r}; a prompt is at least one vector long")


def with_names(method: nn.Module, classnames: Sequence[str]) -> nn.Module:
    """The same method with the same learned values, copied, for other class names."""
    other = type(method)(method.backbone, classnames, **method.options)
    other.load_state_dict(method.state_dict())
    return other


def refuse_names(method: nn.Module, what: str, instead: str) -> None:
    """ValueError of a method that has learned something of its own for each class."""
    raise ValueError(f"{type(method).__name__} has learned {what} and takes no other names untrained; {instead}")


def count(method: nn.Module) -> int:
    """The number of learnable parameters."""
    return sum(p.numel() for p in method.parameters())

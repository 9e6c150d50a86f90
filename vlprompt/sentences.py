"""Class names in sentences, with places left open for context vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vlprompt.backbone import Backbone


@dataclass(frozen=True, eq=False)
class Sentences:
    """What the text tower reads, one sentence a class; C classes, L places. On the CPU."""

    tokens: Tensor  # (C, L) ids; zeros after the end token
    slots: Tensor  # (C, L) which context vector stands at a place, -1 where a word stands
    ends: Tensor  # (C,) the place that is read: of the end token

    def front(self, one_context: bool) -> int:
        """How many places at the front are the same for all classes (and before every end token).

        `one_context`: all classes share one context, so that its places count as the same too.
        """
        same = (self.tokens == self.tokens[:1]) & (self.slots == self.slots[:1])  # (C, L)
        if not one_context:
            same &= self.slots < 0
        return min(int(same.all(0).int().cumprod(0).sum()), int(self.ends.min()))


def read_names(backbone: Backbone, classnames: Sequence[str]) -> list[str]:
    """The class names as a list, `_` read as a space; ValueError if none, empty or repeated."""
    if isinstance(classnames, str):
        raise ValueError(f"classnames is one string, {classnames!r}; give a list of names")
    names = list(classnames)
    if not names:
        raise ValueError("there are no class names; give at least one")
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise ValueError(f"class names are strings; {wrong[0]!r} is a {type(wrong[0]).__name__}")
    names = [name.replace("_", " ") for name in names]
    first: dict[tuple[int, ...], int] = {}
    for i, name in enumerate(names):
        ids = tuple(backbone.token_ids(name))
        if not name.strip() or not ids:
            raise ValueError(f"class name {i} is empty; every class needs a name of its own")
        if first.setdefault(ids, i) != i:
            raise ValueError(
                f"class names {first[ids]} and {i} are the same to the text tower: {name!r}; "
                f"every class needs a name of its own"
            )
    return names


def fill(backbone: Backbone, template: str, names: Sequence[str]) -> Sentences:
    """`template` with each name in the place of its `{}`: sentences of words alone."""
    if not isinstance(template, str) or template.count("{}") != 1:
        raise ValueError(f"a template holds one {{}} for the class name; {template!r} does not")
    tokens = _tokens(backbone, [template.replace("{}", name) for name in names], names)
    return Sentences(tokens, torch.full_like(tokens, -1), _ends(backbone, tokens))


def around_context(
    backbone: Backbone, names: Sequence[str], length: int, init: str | None, position: str = "end"
) -> Sentences:
    """`<init> <name>.`, the first `length` tokens of `init` left open for context vectors.

    Without `init` the context is `length` open places. `position` of the name: "end" (after the
    context), "middle" or "front"; the sentence is as long for all three. CoOp, section 3.2.
    """
    if position not in ("end", "middle", "front"):
        raise ValueError(f"position={position!r}; the class name stands at 'end', 'middle' or 'front'")
    if length and not hasattr(backbone.tokenizer, "sot_token_id"):
        raise ValueError(
            f"{backbone.name} has no CLIP tokenizer, so no context can be learned; methods on its "
            f"pixels and its image tower fit, or a CLIP such as 'tiny' or ViT-B-16"
        )
    words = init.replace("_", " ") if init else " ".join(["X"] * length)  # each X is one token
    has = len(backbone.token_ids(words))
    if length > has or (position != "end" and length != has):
        raise ValueError(
            f"length={length}, but init={init!r} has {has} tokens; give length={has}, or init=None "
            f"for {length} random vectors"
        )
    tokens = _tokens(backbone, [f"{words} {name}.".strip() for name in names], names)
    slots = torch.full_like(tokens, -1)
    slots[:, 1 : 1 + length] = torch.arange(length)
    ends = _ends(backbone, tokens)
    if position != "end":
        before = length // 2 if position == "middle" else 0  # context vectors ahead of the name
        for i, name in enumerate(names):
            # The name's tokens are counted alone and cut out of the whole: a full stop that the
            # tokenizer fuses with the name's end ("kite (bird of prey).") stays with the name.
            count = min(len(backbone.token_ids(name)), int(ends[i]) - 1 - length)
            start, stop = 1 + before, 1 + length + count
            order = [*range(1 + length, stop), *range(start, 1 + length)]
            tokens[i, start:stop] = tokens[i, order]
            slots[i, start:stop] = slots[i, order]
    return Sentences(tokens, slots, ends)


def _tokens(backbone: Backbone, texts: list[str], names: Sequence[str]) -> Tensor:
    for text, name in zip(texts, names, strict=True):
        over = len(backbone.token_ids(text)) + 2 - backbone.context_length
        if over > 0:
            raise ValueError(
                f"class name {name!r} is {over} token{'s' * (over > 1)} too long: with the words "
                f"around it, it fills more than the {backbone.context_length} places that "
                f"{backbone.name} reads; shorten the name or the context"
            )
    return backbone.tokenize(texts)  # (C, L)


def _ends(backbone: Backbone, tokens: Tensor) -> Tensor:
    """The place of the end token: the first of its id (in CLIP's vocabulary, the largest id)."""
    end = getattr(backbone.tokenizer, "eot_token_id", None)
    return (tokens == end).int().argmax(-1) if end is not None else tokens.argmax(-1)

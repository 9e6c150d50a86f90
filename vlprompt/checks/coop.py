"""The checks of lesson 05."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed


def put_context(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`put_context(x, context)`: sentences (C, L, d) with a context (M, d) or (C, M, d) at places 1 to M."""
    C, L, M, d = 3, 8, 2, 4
    for shape in ((M, d), (C, M, d)):
        x, context = numbers(C, L, d, seed=5), numbers(*shape, seed=6)
        before, each = x.clone(), context.expand(C, M, d)
        right = torch.cat([x[:, :1], each, x[:, 1 + M :]], dim=1)
        first = context[0].expand(C, M, d) if len(shape) == 3 else each
        wrong = {
            "that overwrites the start token at place 0: the context's places are 1 to M": torch.cat(
                [each, x[:, M:]], dim=1
            ),
            "the sentences grew: the context takes the places of M vectors, it is not squeezed in": torch.cat(
                [x[:, :1], each, x[:, 1:]], dim=1
            ),
            "behind the end token nobody reads it: its places are 1 to M": torch.cat([x, each], dim=1),
            "and at the last places it stands behind the end token": torch.cat([x[:, :-M], each], dim=1),
            "the context is added to what stood there; it takes its place": torch.cat(
                [x[:, :1], x[:, 1 : 1 + M] + each, x[:, 1 + M :]], dim=1
            ),
            "with a context for each class, (C, M, d), every class got that of the first": torch.cat(
                [x[:, :1], first, x[:, 1 + M :]], dim=1
            ),
            "the context is not in it: `x` comes back as it was": before,
        }
        context.requires_grad_()
        answer = call(function, x, context)
        if not torch.equal(x, before):
            raise AssertionError("put_context: `x` itself was changed; make a new tensor, the next step needs the old")
        compare("put_context", answer, right, wrong)
        if not answer.requires_grad:
            raise AssertionError("put_context: no gradient reaches the context: do not detach, copy or use its .data")
    passed("put_context")


def in_the_middle(function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`in_the_middle(start, context, name, rest)`: half of the context, the name, the other half."""
    for M, k in ((4, 1), (5, 2)):
        start, context, name, rest = (numbers(n, 3, seed=10 + n + M) for n in (1, M, k, 3))
        half = M // 2
        one, two, more = context[:half], context[half:], -(-M // 2)

        def sentence(*parts: Tensor) -> Tensor:
            return torch.cat([start, *parts])  # noqa: B023  called at once

        wrong = {
            "that is the end position: the name stands behind the whole context": sentence(context, name, rest),
            "that is the front position: the name stands before the whole context": sentence(name, context, rest),
            "the halves are swapped: v1 comes first": sentence(two, name, one, rest),
            "the first half stands on both sides": sentence(one, name, one, rest),
            "the other half is missing": sentence(one, name, rest),
            "the full stop and the end token are missing: the end token is what is read": sentence(one, name, two),
            "the start token is missing": torch.cat([one, name, two, rest]),
            "every second vector stands before the name; the first half should": sentence(
                context[::2], name, context[1::2], rest
            ),
            "of an odd M the smaller half comes first: round down": sentence(
                context[:more], name, context[more:], rest
            ),
        }
        compare("in_the_middle", call(function, start, context, name, rest), sentence(one, name, two, rest), wrong)
    passed("in_the_middle")


def numbers_of_coop(function: Callable[[], Mapping[str, object]]) -> None:
    """`numbers_of_coop()`: how much CoOp learns, M = 16, ViT-B/16, ImageNet, and which kind takes new classes."""
    answer = dict(call(function))
    last = "can be asked about new classes"
    if set(answer) != {"unified", "class-specific", last}:
        raise AssertionError(f'numbers_of_coop: return {{"unified": …, "class-specific": …, "{last}": …}}')
    unified, specific, asked = answer["unified"], answer["class-specific"], str(answer[last])
    hints = {
        16: "16 is the number of vectors; each has the width of a word",
        512: "512 is one vector; there are 16",
        77 * 512: "77 places have a position, but only 16 hold learned vectors",
        16 * 77: "a vector is as wide as a word: 512",
        16 * 1024: "only the sentence's side learns; the joint space adds nothing",
        16 * 1000: "that counts classes; a unified context is the same for all of them",
        16 * 512 * 1000: "that is one for each class; the unified context is the same for all of them",
    }
    if unified != 16 * 512:
        raise AssertionError(f"numbers_of_coop, unified: {hints.get(unified, 'M vectors, each as wide as a word')}")
    if specific != 1000 * 16 * 512:
        hint = {
            16 * 512: "each of the 1,000 classes has a context of its own",
            16 * 512 + 1000: "each class has a whole context of its own, not one number",
            16 * 512 + 512 * 1000: "each class has 16 vectors of its own, not one",
            512 * 1000: "each class has 16 vectors of its own, not one",
        }.get(specific, "1,000 contexts of the size of the unified one")
        raise AssertionError(f"numbers_of_coop, class-specific: {hint}")
    if asked != "unified":
        raise AssertionError(
            "numbers_of_coop: a new class has no context of its own, and no picture trained one; the one that all "
            "share stands before any name"
        )
    passed("numbers_of_coop")

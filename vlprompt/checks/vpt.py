"""The checks of lesson 03."""

from collections.abc import Callable, Mapping

from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed


def numbers_of_vpt(function: Callable[[int, int, int, int, int], int]) -> None:
    """`numbers_of_vpt(J, M, d, E, C)`: J layers of M tokens of d numbers, and a head from E features to C classes."""
    for J, M, d, E, C in ((12, 5, 16, 7, 3), (1, 9, 20, 6, 11)):
        answer = call(function, J, M, d, E, C)
        tokens, head = J * M * d, (E + 1) * C
        hints = {
            tokens: "those are the tokens alone; the head learns too",
            head: "that is the head alone; the tokens learn too",
            tokens + E * C: "the head has a bias for each class",
            tokens + (E + 1) * C * J: "there is one head, after the last layer, not one a layer",
            M * d + head: "that is VPT-shallow; each of the J layers has tokens of its own",
            (J - 1) * M * d + head: "the first layer has tokens, too",
            J * d + head: "that is one token a layer; there are M",
            J * M + head: "a token is not one number: it is a vector as wide as the tower, d",
            J * M * E + head: "a token is as wide as the tower's inside, d; E is what comes out of the tower",
            tokens + (d + 1) * C: "the head reads the features, E numbers; d is the width inside the tower",
            tokens * C + head: "the tokens are the same for all classes and pictures",
        }
        if int(answer) != tokens + head:
            hint = hints.get(int(answer), "J·M vectors of d numbers, and a head of (E + 1)·C")
            raise AssertionError(f"numbers_of_vpt: {hint}")
    passed("numbers_of_vpt")


def class_row(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`class_row(q, k)`: from queries and keys (B, heads, T, e) the class token's attention, (B, heads, T)."""
    q, k = 2 * numbers(2, 3, 5, 4, seed=21), numbers(2, 3, 5, 4, seed=22)
    products = q @ k.transpose(-2, -1)  # (B, heads, T, T)
    scores = products / 2
    right = scores.softmax(-1)
    wrong = {
        "the products are not divided: by the root of e, the numbers of a head": products.softmax(-1)[:, :, 0],
        "divide by the root of e, not by e": (products / 4).softmax(-1)[:, :, 0],
        "each head divides by the root of its own e, not of the whole width": (products / 12**0.5).softmax(-1)[:, :, 0],
        "the softmax is missing: attention adds up to 1": scores[:, :, 0],
        "the softmax goes over the queries; it must go over the keys, the last dimension": scores.softmax(-2)[:, :, 0],
        "the softmax goes over the heads; each head divides its own attention": scores[:, :, 0].softmax(1),
        "that is a column: how much every token looks at the class token": right[..., 0],
        "that is the last token's row; the class token is the first": right[:, :, -1],
        "that is everybody's attention, (B, heads, T, T); take the class token's row": right,
        "the heads are averaged already; return each, (B, heads, T)": right[:, :, 0].mean(1),
    }
    compare("class_row", call(function, q, k), right[:, :, 0], wrong)
    passed("class_row")


def unchanged(function: Callable[[], set[str]]) -> None:
    """`unchanged()`: which of five changes, "a" to "e", leave the features of VPT-deep in all layers as they were."""
    answer = {str(letter).lower() for letter in call(function)}
    changing = {
        "c": "`ln_pre` gives every token that it meets the same length; a token that joins behind it is another token",
        "e": "the sum of two tokens is a third one: the layer reads other keys and values",
    }
    for letter, hint in changing.items():
        if letter in answer:
            raise AssertionError(f"unchanged: not {letter!r}: {hint}")
    missing = {
        "a": "attention is a sum over tokens, and a sum does not know their order; do prompts have positions?",
        "b": "nothing in a layer knows which place a token stands at; a patch knows it by its position vector",
        "d": "who reads a token in a layer? Keys and values are made behind a LayerNorm, which divides by the length",
    }
    for letter, hint in missing.items():
        if letter not in answer:
            raise AssertionError(f"unchanged: think again about {letter!r}: {hint}")
    if answer != set(missing):
        raise AssertionError("unchanged: the answer is a set of letters out of 'a', 'b', 'c', 'd', 'e'")
    passed("unchanged")


def plan_of_mine(function: Callable[[], Mapping[str, int]], backbone, budget: int) -> dict[str, int]:
    """`plan_of_mine()`: {"depth": J, "length": M} with at most `budget` numbers in the tokens; prints how many."""
    plan = dict(call(function))
    if set(plan) != {"depth", "length"} or any(type(value) is not int for value in plan.values()):
        raise AssertionError('plan_of_mine: return {"depth": …, "length": …}, two whole numbers')
    if not 1 <= plan["depth"] <= backbone.vision_layers:
        raise AssertionError(f"plan_of_mine: a depth of {plan['depth']}, but there are {backbone.vision_layers} layers")
    if plan["length"] < 1:
        raise AssertionError(f"plan_of_mine: a length of {plan['length']}; a layer has one token at least")
    used = plan["depth"] * plan["length"] * backbone.vision_width
    if used > budget:
        raise AssertionError(f"plan_of_mine: {used:,} numbers are more than the {budget:,} that you have")
    print(f"your tokens hold {used:,} of {budget:,} numbers")
    passed("plan_of_mine")
    return plan

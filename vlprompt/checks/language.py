"""The checks of lesson 01."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed
from vlprompt.nlp.read import read_verbalizer


def pool(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`pool(x, mask)`: from x (N, L, E) the mean over the places where mask (N, L) is 1, of length 1: (N, E)."""
    x, mask = numbers(3, 5, 4, seed=1), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    weights = mask[..., None].float()  # (N, L, 1)
    mean = (x * weights).sum(1) / weights.sum(1)  # (N, E)
    sums = (x * weights).sum(1)
    padded, unit = x.mean(1), F.normalize(x, dim=-1)
    wrong = {
        "the filling counts too: multiply by the mask before you add up": F.normalize(padded, dim=-1),
        "the filling counts too, and the vectors are not yet of length 1": padded,
        "this is the mean, and not yet of length 1: divide it by its length": mean,
        "this is the sum; divide it by its length": sums,
        "divided by the number of places; divide by the length, so that the vector has length 1": sums / 5,
        "that is the first token alone: MiniLM reads all of them": F.normalize(x[:, 0], dim=-1),
        "each token was made of length 1 before the mean; only the mean is": F.normalize(
            (unit * weights).sum(1), dim=-1
        ),
        "normalise over the last dimension, E: `F.normalize(..., dim=-1)`": F.normalize(mean, dim=0),
    }
    answer = call(function, x, mask)
    if isinstance(answer, Tensor) and answer.isnan().any():
        raise AssertionError("pool: there are nan: a division by 0, or a mask where it should be 1 minus it")
    compare("pool", answer, F.normalize(mean, dim=-1), wrong)
    passed("pool")


def map_words(function: Callable[[Tensor, Mapping[str, Sequence[str]]], Tensor]) -> None:
    """`map_words(p, verbalizer)`: from p(z | x) (N, A) in the verbalizer's order, p(y | x) (N, L)."""
    verbalizer = {"sport": ["ball", "team", "race"], "food": ["soup"], "travel": ["train", "hotel"]}
    p = (3 * numbers(4, 6, seed=2)).softmax(-1)
    parts = p.split([3, 1, 2], dim=-1)
    means = torch.stack([part.mean(-1) for part in parts], dim=-1)  # (N, L)
    sums = torch.stack([part.sum(-1) for part in parts], dim=-1)
    tops = torch.stack([part.max(-1).values for part in parts], dim=-1)
    wrong = {
        "this is the sum over a label's words, so that many words win by their number: take the mean": sums,
        "the means of one sentence do not add up to 1 yet: divide them by their sum": means,
        "this takes each label's best word; the mean over its words is wanted": tops / tops.sum(-1, keepdim=True),
        "these are the best words alone, and they do not add up to 1": tops,
        "a softmax of numbers that are probabilities already flattens them: divide by their sum": means.softmax(-1),
        "divided by the sum over the sentences; the labels of one sentence add up to 1": means / means.sum(0),
    }
    answer = call(function, p, verbalizer)
    compare("map_words", answer, means / means.sum(-1, keepdim=True), wrong)
    passed("map_words")


def scaled(function: Callable[[], Mapping[str, bool]]) -> None:
    """`scaled()`: what can change when the scale of all cosines is doubled."""
    wanted = {"probabilities", "label, one word each", "label, many words each"}
    answer = dict(call(function))
    if set(answer) != wanted or not all(isinstance(value, bool) for value in answer.values()):
        raise AssertionError(f"scaled: return a dict with {', '.join(sorted(wanted))}, each True or False")
    if not answer["probabilities"]:
        raise AssertionError("scaled: softmax([1, 2]) and softmax([2, 4]) are not the same: compute them")
    if answer["label, one word each"]:
        raise AssertionError("scaled: with one word each the largest cosine decides, and twice it is still the largest")
    if not answer["label, many words each"]:
        raise AssertionError(
            "scaled: the mean is taken after exp, and exp favours the largest: compare cosines 3 and 0 with 2 and 2, "
            "once as they are, once times a tenth"
        )
    passed("scaled")


def labels_of_mine(function: Callable[[], tuple], classify: Callable[..., list[str]]) -> int:
    """`labels_of_mine()`: a template, a verbalizer, and [(sentence, label), ...]; prints how many come out right."""
    answer = call(function)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise AssertionError("labels_of_mine: return three things, the template, the verbalizer and the sentences")
    template, verbalizer, pairs = answer
    if len(pairs) < 6:
        raise AssertionError(f"labels_of_mine: {len(pairs)} sentences say little; write at least 6")
    try:
        labels = set(read_verbalizer(verbalizer))
        given = classify([text for text, _ in pairs], template=template, verbalizer=verbalizer)
    except ValueError as error:
        raise AssertionError(f"labels_of_mine: {error}") from None
    if labels == {"positive", "negative"}:
        raise AssertionError("labels_of_mine: positive and negative are the lesson's; take labels of another kind")
    if unknown := {label for _, label in pairs} - labels:
        raise AssertionError(f"labels_of_mine: {sorted(unknown)[0]!r} is no label of your verbalizer")
    right = sum(label == its for label, (_, its) in zip(given, pairs, strict=True))
    print(f"right: {right} of {len(pairs)}")
    passed("labels_of_mine")
    return right

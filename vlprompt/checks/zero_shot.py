"""The checks of lesson 02."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed


def read_end(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`read_end(x, tokens)`: from x (C, L, d) the vector at each sentence's end token, (C, d)."""
    end = 49407
    tokens = torch.tensor([[49406, 320, 9, end, 0, 0, 0], [49406, 320, 9, 12, 5, end, 0], [49406, 7, end, 0, 0, 0, 0]])
    x, rows = numbers(3, 7, 4, seed=3), torch.arange(3)
    at = tokens.argmax(1)  # (3,)
    lengths = (tokens != 0).sum(1)
    wrong = {
        "that is the last place, which holds only padding here: the end token stands before it": x[:, -1],
        "that is one place before the end token, the last word: it never met the end token": x[rows, at - 1],
        "that is one place after the end token, which nobody wrote": x[rows, lengths],
        "that is the start token: in a causal tower it has seen nothing but itself": x[:, 0],
        "`argmax()` without a dim looks at all sentences at once: give it dim=1": x[:, int(tokens.argmax()) % 7],
        "that takes the longest sentence's place for all: each sentence has its own end": x[:, int(at.max())],
        "that is the mean over places; CLIP reads the end token alone": x.mean(1),
        "x[:, at] takes every sentence at every end, (C, C, d): write x[torch.arange(C), at]": x[:, at],
    }
    compare("read_end", call(function, x, tokens), x[rows, at], wrong)
    passed("read_end")


def shifted(function: Callable[[], Mapping[str, bool]]) -> None:
    """`shifted()`: what changes when the same vector is added to all classes' text vectors."""
    answer = dict(call(function))
    if set(answer) != {"logits", "probabilities", "accuracy"} or not all(isinstance(v, bool) for v in answer.values()):
        raise AssertionError(
            'shifted: return {"logits": ..., "probabilities": ..., "accuracy": ...}, each True or False'
        )
    if not answer["logits"]:
        raise AssertionError(
            "shifted: f · (t + v) = f · t + f · v, and f · v is hardly ever zero: look at the logits again"
        )
    if answer["probabilities"]:
        raise AssertionError(
            "shifted: within one image all logits grow by the same f · v; what does softmax make of that?"
        )
    if answer["accuracy"]:
        raise AssertionError("shifted: the largest logit stays the largest when all grow by the same number")
    passed("shifted")


def ensemble(function: Callable[[Tensor], Tensor]) -> None:
    """`ensemble(features)`: from (T, C, E) of T templates the text vectors (C, E): normalise, mean, normalise."""
    features = numbers(5, 3, 4, seed=4) * torch.tensor([1.0, 8.0, 0.3, 2.0, 5.0])[:, None, None]
    unit = F.normalize(features, dim=-1)
    right = F.normalize(unit.mean(0), dim=-1)
    wrong = {
        "the mean of unit vectors is shorter than 1: normalise once more at the end": unit.mean(0),
        "the sum of unit vectors is not of length 1: normalise once more at the end": unit.sum(0),
        "normalise before the mean as well, or a template with long vectors outvotes the others": F.normalize(
            features.mean(0), dim=-1
        ),
        "this is the plain mean: normalise before it and after it": features.mean(0),
        "that averages over the classes: the templates are the first dimension": F.normalize(unit.mean(1), dim=-1),
        "normalise over the last dimension, E, so that each vector has length 1": F.normalize(
            F.normalize(features, dim=0).mean(0), dim=0
        ),
        "`F.normalize` takes dimension 1 unless told: give dim=-1": F.normalize(F.normalize(features).mean(0), dim=-1),
    }
    compare("ensemble", call(function, features), right, wrong)
    passed("ensemble")


def template_of_mine(function: Callable[[], str], backbone, names: Sequence[str]) -> list[str]:
    """`template_of_mine()`: a template that fits the names; prints which of its words the CLIP never met."""
    from vlprompt.sentences import fill

    template = call(function)
    try:
        fill(backbone, template, names)
    except ValueError as error:
        raise AssertionError(f"template_of_mine: {error}") from None
    unknown = [word for word in template.replace("{}", " ").split() if not knows(backbone, word)]
    print(f"words that this CLIP never met: {', '.join(unknown) or 'none'}")
    passed("template_of_mine")
    return unknown


def knows(backbone, text: str) -> bool:
    """True where every token of a text has a vector that training made; a token never met has only zeros."""
    ids = torch.tensor(backbone.token_ids(text), device=backbone.device)
    return bool(ids.numel()) and bool((backbone.text.token_embedding.weight[ids].abs().sum(1) > 0).all())

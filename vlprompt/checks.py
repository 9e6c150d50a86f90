"""The checks of the exercises: each takes the student's function, and prints one line or raises AssertionError.

What is wrong is compared with the wrong answers that people really write, and the message holds the hint that fits.
A check never looks at the notebook's own solution.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def call(function: Callable, *arguments: object) -> object:
    """The function's answer. AssertionError where it is not written yet or returns nothing."""
    name = getattr(function, "__name__", "the function")
    try:
        answer = function(*arguments)
    except NotImplementedError:
        raise AssertionError(f"not written yet: {name}") from None
    if answer is None:
        raise AssertionError(f"{name} returns nothing: is its `return` missing?")
    return answer


def passed(name: str) -> None:
    """The one line that says that an exercise is done."""
    print(f"passed: {name}")


def compare(name: str, answer: object, right: Tensor, wrong: Mapping[str, Tensor]) -> None:
    """AssertionError unless `answer` is `right`; the hint is the key of the wrong tensor that it equals."""
    if not isinstance(answer, Tensor):
        raise AssertionError(f"{name} returns a {type(answer).__name__}, but a tensor is wanted")
    answer = answer.detach().to(right.dtype)
    if same(answer, right):
        return
    for hint, value in wrong.items():
        if same(answer, value):
            raise AssertionError(f"{name}: {hint}")
    if answer.shape != right.shape:
        raise AssertionError(f"{name} returns the shape {tuple(answer.shape)}, but {tuple(right.shape)} is wanted")
    raise AssertionError(f"{name} has the right shape, but other values: compare it with the formula, step by step")


def same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Random numbers for a check, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---- 00 start -----------------------------------------------------------------------------------


def count_numbers(function: Callable[[nn.Module], int]) -> None:
    """`count_numbers(module)`: how many numbers the module's parameters hold, frozen or not."""
    for frozen in (False, True):
        module = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 3, bias=False)))
        module[0].requires_grad_(not frozen)
        shapes = [p.shape for p in module.parameters()]  # (4, 3), (4,), (4,), (4,), (3, 4)
        answer = call(function, module)
        wrong = {
            sum(
                p.numel() for p in module.parameters() if p.requires_grad
            ): "frozen parameters count too: do not ask for requires_grad, since all of CLIP is frozen",
            len(shapes): "that is how many tensors there are; a tensor of 4 by 3 holds 12 numbers",
            sum(s[0] for s in shapes): "that adds up the first sides; a tensor of 4 by 3 holds 12 numbers, not 4",
            sum(s.numel() for s in shapes if len(s) > 1): "vectors count too: the biases and the LayerNorms",
            sum(p.numel() for p in module[0].parameters()): "that is the first part; `parameters()` finds all parts",
        }
        right = sum(s.numel() for s in shapes)
        if int(answer) != right:
            hint = wrong.get(int(answer), f"{int(answer)} numbers, but the module holds 36; see `tensor.numel()`")
            raise AssertionError(f"count_numbers: {hint}")
    passed("count_numbers")


def best_names(function: Callable[[Tensor, Tensor, Sequence[str], int], list[str]]) -> None:
    """`best_names(image, texts, names, k)`: the k names with the largest cosine to an image, the best first."""
    image, texts = numbers(8, seed=4), numbers(6, 8, seed=104)
    texts = texts * torch.tensor([1.0, 9.0, 0.2, 3.0, 0.5, 6.0])[:, None]  # lengths that mislead
    names = ["axe", "bell", "cup", "door", "egg", "fan"]

    def by(scores: Tensor) -> list[str]:
        return [names[i] for i in scores.argsort(descending=True)[:3]]

    cosines = F.cosine_similarity(image[None], texts)  # (6,)
    answer = call(function, image, texts, names, 3)
    right = by(cosines)
    wrong = [
        (by(-cosines), "those are the worst: the largest cosine comes first"),
        (by(texts @ image), "a long vector wins by its length alone: divide each vector by its length first"),
        (by(-(texts - image).norm(dim=1)), "that is the distance; divide each vector by its length first"),
        (right[::-1], "the right names, but the best must come first"),
        (right[:1], "only one name; k of them are wanted"),
        (sorted(right), "the right names, but in the order of the alphabet: the best must come first"),
    ]
    if isinstance(answer, Tensor) or any(not isinstance(name, str) for name in answer):
        raise AssertionError("best_names: return the names themselves, as strings, not their numbers")
    if list(answer) != right:
        hint = next((h for value, h in wrong if list(answer) == value), "other names than the cosines give")
        raise AssertionError(f"best_names: {hint}")
    passed("best_names")


def what_it_saw(function: Callable[[], set[str]]) -> None:
    """`what_it_saw()`: which of the four kinds of drawing, "a" to "d", the small CLIP may have been pretrained on."""
    answer = {str(letter).lower() for letter in call(function)}
    hints = {
        "a": "if the CLIP had seen the test drawing itself, the test would ask what it remembers, not what it knows",
        "d": "side D is kept away from everybody, so that a style can be met that is new to all",
    }
    for letter, hint in hints.items():
        if letter in answer:
            raise AssertionError(f"what_it_saw: not {letter!r}: {hint}")
    if "b" not in answer:
        raise AssertionError("what_it_saw: look at the column of the fox again: which drawings there have a P?")
    if "c" not in answer:
        raise AssertionError("what_it_saw: look along the row of flat fluent: it has a P at other things")
    if answer != {"b", "c"}:
        raise AssertionError("what_it_saw: the answer is a set of letters out of 'a', 'b', 'c', 'd'")
    passed("what_it_saw")


# ---- 02 CLIP zero-shot --------------------------------------------------------------------------


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

"""The checks of lesson 00."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.checks.common import call, numbers, passed


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

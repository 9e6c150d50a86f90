"""What every check of an exercise stands on: call the student's function, compare, and say that it passed."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vlprompt.progress import record


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
    """The one line that says that an exercise is done; noted in the student's workspace, where there is one."""
    print(f"passed: {name}")
    record(name)


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

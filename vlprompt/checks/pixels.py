"""The checks of lesson 04."""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed


def put_patch(function: Callable[[Tensor, int, int, int, int], Tensor]) -> None:
    """`put_patch(patch, row, column, H, W)`: a patch (3, p, p) with its first pixel there, zero around: (3, H, W)."""
    patch, (row, column, H, W) = numbers(3, 2, 2, seed=41), (1, 4, 6, 9)

    def at(row: int, column: int, patch: Tensor = patch) -> Tensor:
        return F.pad(patch, (column, W - 2 - column, row, H - 2 - row))

    wrong = {
        "row and column are swapped; the last dimension of (3, H, W) counts columns": at(column, row),
        "counted from below and from the right; rows count from above, columns from the left": at(
            H - 2 - row, W - 2 - column
        ),
        "the patch stands in the corner, wherever it should go": at(0, 0),
        "that is the place of its middle; row and column are those of its first pixel": at(row - 1, column - 1),
        "around the patch stand ones; a prompt that adds nothing is zero": at(row, column)
        + (at(row, column, torch.ones(3, 2, 2)) == 0),
        "all colours have the first colour's patch": at(row, column, patch[:1].expand(3, -1, -1)),
        "that is the patch alone; what is added to a picture has its size": patch,
    }
    patch.requires_grad_()
    answer = call(function, patch, row, column, H, W)
    compare("put_patch", answer, at(row, column).detach(), wrong)
    compare("put_patch", call(function, patch, 0, 0, 4, 3), F.pad(patch, (0, 1, 0, 2)).detach(), {})
    if not answer.requires_grad:
        raise AssertionError("put_patch: no gradient reaches the patch: do not detach it or use its .data")
    passed("put_patch")


def to_levels(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """`to_levels(prompt, mean, std)`: what a prompt (3, H, W) adds to a picture, in levels of a screen (0 to 255)."""
    prompt = numbers(3, 3, 3, seed=45)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.3, 0.2, 0.1])
    m, s = mean[:, None, None], std[:, None, None]
    wrong = {
        "that is the way back of a picture; a difference of two pictures has lost the mean": 255 * (prompt * s + m),
        "that is the way back of a picture, and in shares of white: no mean, but times 255": prompt * s + m,
        "in shares of white: a screen's white is 255": prompt * s,
        "normalising divides by the standard deviation, so the way back multiplies": 255 * prompt / s,
        "that normalises once more; the way back multiplies by the standard deviation": (prompt - m) / s,
        "white is 255, but the standard deviation is missing": 255 * prompt,
        "the standard deviation stands along the columns; it belongs to the colours: std[:, None, None]": 255
        * prompt
        * std,
        "the standard deviation stands along the rows; it belongs to the colours: std[:, None, None]": 255
        * prompt
        * std[:, None],
    }
    compare("to_levels", call(function, prompt, mean, std), 255 * prompt * s, wrong)
    passed("to_levels")


def touched(function: Callable[[], Mapping[str, int]]) -> None:
    """`touched()`: how many patches of three image towers a frame touches."""
    towers = {"ViT-B/16": (224, 16, 30), "ViT-B/32": (224, 32, 30), "the small CLIP": (48, 12, 6)}
    answer = dict(call(function))
    if set(answer) != set(towers):
        raise AssertionError(f"touched: return {{{', '.join(f'{name!r}: …' for name in towers)}}}")
    for name, (size, patch, width) in towers.items():
        side, rows = size // patch, math.ceil(width / patch)
        free = (side - 2 * rows) ** 2
        hints = {
            free: "those are the patches that it leaves alone",
            4 * rows * side: "the patches in the corners are counted twice",
            side**2 - (side - rows) ** 2: "the frame stands on all four sides",
            side**2: "that is all of them; some lie inside the frame",
            side**2 - (side - 2) ** 2: "a frame wider than a patch reaches the next row of patches as well",
            side**2 + 1 - free: "the class token comes from no pixel, so no frame touches it",
            round(side**2 * (1 - (1 - 2 * width / size) ** 2)): "that is its share of the pixels; a patch that is "
            "touched in one pixel is touched",
        }
        if answer[name] != side**2 - free:
            hint = hints.get(answer[name], f"there are {side} by {side} patches; how many rows of them does it reach?")
            raise AssertionError(f"touched, {name}: {hint}")
    passed("touched")


def task_of_mine(function: Callable[[], str]) -> str:
    """`task_of_mine()`: the name of a task of the course that the lesson has not looked at."""
    from vlprompt import tasks

    name = call(function)
    if name not in tasks.task_names():
        raise AssertionError(f"task_of_mine: there is no task {name!r}; they are {', '.join(tasks.task_names())}")
    if name in ("where", "how-large", "plants", "birds-and-sea-life"):
        raise AssertionError(f"task_of_mine: the lesson has looked at {name} already; take another")
    passed("task_of_mine")
    return name

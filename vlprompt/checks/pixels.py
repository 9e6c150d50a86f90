"""The checks of lesson 04."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vlprompt.checks.common import call, compare, numbers, passed


def numbers_of_frame(function: Callable[[int, int, int, int], int]) -> None:
    """`numbers_of_frame(C, H, W, p)`: how many numbers a frame of width p has on C colours of H by W pixels."""
    for C, H, W, p in ((3, 20, 36, 4), (1, 9, 11, 2)):
        answer = call(function, C, H, W, p)
        hints = {
            2 * C * p * (H + W): "the four corners are counted twice: the sides stand between the rows above and below",
            2 * p * (H - p) + 2 * p * (W - p): "each colour has a frame of its own: C of them",
            C * p * (H - p) + C * p * (W - p): "that is half of it: there are two rows and two columns",
            4 * C * p * (H - p): "that holds for a square only; here H and W differ",
            4 * C * p * (W - p): "that holds for a square only; here H and W differ",
            C * (H - 2 * p) * (W - 2 * p): "that is what lies inside the frame",
            C * (H * W - (H - p) * (W - p)): "the inside is smaller by p at both ends: H − 2p by W − 2p",
            2 * C * p * (H - 2 * p) + 2 * C * p * (W - 2 * p): "the corners belong to the frame, too",
            C * H * W: "that is the whole picture",
        }
        if int(answer) != 2 * C * p * (H - p) + 2 * C * p * (W - p):
            hint = hints.get(int(answer), "two rows of p by W, and two columns of H − 2p by p, for each colour")
            raise AssertionError(f"numbers_of_frame: {hint}")
    passed("numbers_of_frame")


def assemble(function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """`assemble(up, down, left, right)`: the frame (C, H, W) from rows (C, p, W) and columns (C, H - 2p, p)."""
    C, H, W, p = 3, 9, 7, 2
    up, down = numbers(C, p, W, seed=41), numbers(C, p, W, seed=42)
    left, right = numbers(C, H - 2 * p, p, seed=43), numbers(C, H - 2 * p, p, seed=44)
    inside = torch.zeros(C, H - 2 * p, W - 2 * p)

    def stack(top: Tensor, *row: Tensor, bottom: Tensor) -> Tensor:
        return torch.cat([top, torch.cat(row, dim=2), bottom], dim=1)

    wrong = {
        "up and down are swapped": stack(down, left, inside, right, bottom=up),
        "left and right are swapped": stack(up, right, inside, left, bottom=down),
        "inside the frame stand ones; a prompt that adds nothing is zero": stack(
            up, left, inside + 1, right, bottom=down
        ),
        "the row above stands below as well": stack(up, left, inside, right, bottom=up),
        "the column on the left stands on the right as well": stack(up, left, inside, left, bottom=down),
        "the rows below and the columns are missing": torch.cat([up, torch.zeros(C, H - p, W)], dim=1),
        "only the middle is there: the rows above and below are missing": torch.cat([left, inside, right], dim=2),
    }
    for part in (up, down, left, right):
        part.requires_grad_()
    answer = call(function, up, down, left, right)
    compare("assemble", answer, stack(up, left, inside, right, bottom=down).detach(), wrong)
    if not answer.requires_grad:
        raise AssertionError("assemble: no gradient reaches the parts: do not detach them or use their .data")
    passed("assemble")


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

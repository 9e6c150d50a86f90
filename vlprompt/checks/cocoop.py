"""The checks of lesson 06."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.checks.common import call, compare, numbers, passed


def shift(function: Callable[[Tensor, nn.Linear, nn.Linear], Tensor]) -> None:
    """`shift(features, first, second)`: Meta-Net's answer (B, d) to image features (B, E) of any length."""
    features = numbers(3, 8, seed=21) * torch.tensor([0.5, 4.0, 20.0])[:, None]
    first, second = nn.utils.skip_init(nn.Linear, 8, 4), nn.utils.skip_init(nn.Linear, 4, 6)
    with torch.no_grad():
        for k, parameter in enumerate([*first.parameters(), *second.parameters()]):
            parameter.copy_(numbers(*parameter.shape, seed=30 + k))
        unit = F.normalize(features, dim=-1)

        def net(x: Tensor) -> Tensor:
            return second(first(x).relu())

        wrong = {
            "normalise the image's features first: a long vector shifts the context by as many times": net(features),
            "`F.normalize` here runs over the images; each image's own vector, dim=-1, must have length 1": net(
                F.normalize(features, dim=0)
            ),
            "the ReLU between the two maps is missing: without it they are one map": second(first(unit)),
            "the ReLU belongs between the two maps, not behind the second": second(first(unit)).relu(),
            "a second ReLU stands behind the last map: a shift may be negative": net(unit).relu(),
            "that is the hidden vector; the second map is missing": first(unit).relu(),
            "the biases are missing": first(unit).sub(first.bias).relu() @ second.weight.T,
            "the shift itself is normalised; only the image's features are": F.normalize(net(unit), dim=-1),
        }
        compare("shift", call(function, features, first, second), net(unit), wrong)
    passed("shift")


def image_logits(function: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """`image_logits(u, t, scale)`: from u (B, E) of length one and t (B, C, E) of any length, the logits (B, C)."""
    u, t, scale = F.normalize(numbers(3, 6, seed=40), dim=-1), 3 * numbers(3, 3, 6, seed=41), 20.0
    unit = F.normalize(t, dim=-1)
    cosines = torch.einsum("be,bce->bc", u, unit)
    wrong = {
        "the sentences' vectors are not of length one yet: normalise t over its last dimension": scale
        * torch.einsum("be,bce->bc", u, t),
        "`F.normalize` takes dimension 1 unless told, the classes: give dim=-1": scale
        * torch.einsum("be,bce->bc", u, F.normalize(t)),
        "all images are compared with the first image's sentences: each has its own": scale * u @ unit[0].T,
        "the sentences are averaged over the images: each image has its own": scale * u @ unit.mean(0).T,
        "every image meets the sentences of every image, (B, B, C): pair them, as einsum does in 'be,bce->bc'": scale
        * torch.einsum("ie,jce->ijc", u, unit),
        "images and classes are swapped: image b asks its own C sentences": scale * torch.einsum("ce,bce->bc", u, unit),
        "the scale is missing": cosines,
        "those are probabilities already; logits are wanted": (scale * cosines).softmax(-1),
        "the softmax is not asked for, and it runs over the images; classes are the last dimension": (
            scale * cosines
        ).softmax(0),
    }
    compare("image_logits", call(function, u, t, scale), scale * cosines, wrong)
    passed("image_logits")


def cost_of_a_prompt_each(function: Callable[[], Mapping[str, int]]) -> None:
    """`cost_of_a_prompt_each()`: the numbers that CoCoOp learns on ViT-B/16, and the sentences that a test reads."""
    answer = dict(call(function))
    right = {"numbers": 4 * 512 + 512 * 32 + 32 + 32 * 512 + 512, "CoOp reads": 100, "CoCoOp reads": 1000 * 100}
    if set(answer) != set(right):
        raise AssertionError(f"cost_of_a_prompt_each: return a number for each of {', '.join(right)}")
    hints = {
        "numbers": {
            4 * 512: "that is CoOp's context alone; Meta-Net learns too",
            right["numbers"] - 4 * 512: "that is Meta-Net alone; the context learns too",
            right["numbers"] - 32 - 512: "the two biases are missing",
            right["numbers"] - 512: "the bias of the second map is missing",
            right["numbers"] - 32: "the bias of the first map is missing",
            4 * 512 + 512 * 512 + 512: "the bottleneck is missing: 512 / 16 numbers in the middle",
            4 * 512 + 512 * 32 + 32 + 32 * 4 * 512 + 4 * 512: "one shift for all M vectors, not one for each",
        },
        "CoOp reads": {
            1000 * 100: "CoOp's sentences are the same for all images: read once and kept",
            1000: "sentences, not images: one for each class",
            1: "one sentence for each class",
        },
        "CoCoOp reads": {
            100: "the sentences change with the image: none of them can be kept",
            1000: "each image has a sentence for each class",
            1100: "each image has a sentence for each class: multiply",
        },
    }
    for what, value in right.items():
        if answer[what] != value:
            hint = hints[what].get(answer[what], "count again, part by part")
            raise AssertionError(f"cost_of_a_prompt_each, {what}: {hint}")
    passed("cost_of_a_prompt_each")

"""The checks of lesson 07."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from vlprompt.checks.common import call, compare, numbers, passed


def replace_prompts(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`replace_prompts(x, prompt)`: tokens (B, T + M, d), the last M of them replaced by a layer's prompt (M, d)."""
    B, T, M, d = 3, 5, 2, 4
    x, prompt = numbers(B, T + M, d, seed=51), numbers(M, d, seed=52)
    before, new = x.clone(), prompt.expand(B, M, d)
    own, old = x[:, :T], x[:, T:]
    wrong = {
        "the layer's prompt takes the old one's place; nothing is added up": torch.cat([own, old + new], dim=1),
        "the old prompt is still there, and the tokens grow from layer to layer: cut its M tokens off": torch.cat(
            [x, new], dim=1
        ),
        "that overwrites the class token and the first patches: prompts are the last M tokens": torch.cat(
            [new, x[:, M:]], dim=1
        ),
        "that overwrites patches behind the class token: prompts are the last M tokens": torch.cat(
            [x[:, :1], new, x[:, 1 + M :]], dim=1
        ),
        "the prompt of the layer before is still in place": before,
        "the old prompt is gone, but the new one is missing": own,
        "one token too many is kept: the last M go": torch.cat([x[:, : T + 1], new], dim=1),
        "the tokens are the right ones, but the prompt stands in front of them": torch.cat([new, own], dim=1),
    }
    prompt.requires_grad_()
    answer = call(function, x, prompt)
    if not torch.equal(x, before):
        raise AssertionError("replace_prompts: `x` itself was changed; make a new tensor, the way back needs the old")
    compare("replace_prompts", answer, torch.cat([own, new], dim=1), wrong)
    if not answer.requires_grad:
        raise AssertionError("replace_prompts: no gradient reaches the prompt: do not detach it or use its .data")
    passed("replace_prompts")


def vision_prompts(function: Callable[[Sequence[Tensor], Sequence[nn.Linear]], Sequence[Tensor]]) -> None:
    """`vision_prompts(context, maps)`: from J text prompts (M, d_t) and J linear maps the J vision prompts (M, d_v)."""
    J, M = 3, 2
    context = [numbers(M, 4, seed=60 + j) for j in range(J)]
    maps = [nn.utils.skip_init(nn.Linear, 4, 5) for _ in range(J)]
    with torch.no_grad():
        for j, parameter in enumerate(p for linear in maps for p in linear.parameters()):
            parameter.copy_(numbers(*parameter.shape, seed=70 + j))
        wrong = {
            "that is MaPLe†: one map for all layers. MaPLe has a map for each": [maps[0](c) for c in context],
            "the first layer's text prompt is coupled in all layers; each layer has its own": [
                linear(context[0]) for linear in maps
            ],
            "prompts and maps are paired in opposite order": [
                linear(c) for linear, c in zip(maps[::-1], context, strict=True)
            ],
            "the biases are missing": [c @ linear.weight.T for linear, c in zip(maps, context, strict=True)],
            "a layer's vision prompt is mapped from its text prompt, and not added to that of the layer before": [
                sum(linear(c) for linear, c in zip(maps[: j + 1], context[: j + 1], strict=True)) for j in range(J)
            ],
        }
        right = [linear(c) for linear, c in zip(maps, context, strict=True)]
        answer = list(call(function, context, maps))
        if len(answer) != J:
            hint = "the first layer has one as well" if len(answer) == J - 1 else "one for each layer"
            raise AssertionError(f"vision_prompts returns {len(answer)} vision prompts for {J} layers: {hint}")
        stacked = {hint: torch.stack(value) for hint, value in wrong.items()}
        if {tuple(getattr(prompt, "shape", ())) for prompt in answer} == {(M, 4)}:
            raise AssertionError("vision_prompts: the text prompts come back; they must go through the maps")
        if any(getattr(prompt, "shape", None) != (M, 5) for prompt in answer):
            raise AssertionError(
                f"vision_prompts: each vision prompt is ({M}, 5) here, M vectors as wide as the image tower"
            )
        compare("vision_prompts", torch.stack(answer), torch.stack(right), stacked)
    passed("vision_prompts")


def numbers_of_maple(function: Callable[[], Mapping[str, int]]) -> None:
    """`numbers_of_maple()`: what MaPLe and MaPLe† learn on ViT-B/16 with J = 9 and M = 2."""
    answer = dict(call(function))
    J, M, d_t, d_v = 9, 2, 512, 768
    context, one = J * M * d_t, (d_t + 1) * d_v
    right = {"MaPLe": context + J * one, "MaPLe†": context + one}
    if set(answer) != set(right):
        raise AssertionError('numbers_of_maple: return {"MaPLe": …, "MaPLe†": …}')
    for name, maps in (("MaPLe", J), ("MaPLe†", 1)):
        hints = {
            context: "those are the text prompts alone; the maps learn too",
            maps * one: "those are the maps alone; the text prompts learn too",
            context + maps * d_t * d_v: "the maps' biases are missing, as wide as the image tower",
            context + maps * (d_v + 1) * d_t: "the maps lead from text to vision: a bias is as wide as the image tower",
            context + J * M * d_v: "vision prompts are not learned: they are made from the text prompts by the maps",
            context + J * M * d_v + maps * one: "vision prompts are made by the maps, and learn nothing of their own",
            12 * M * d_t + (12 if maps > 1 else 1) * one: "J is 9: the layers above carry the prompts on",
            right["MaPLe" if maps == 1 else "MaPLe†"]: "one map for all layers is MaPLe†, a map for each is MaPLe",
        }
        if answer[name] != right[name]:
            hint = hints.get(answer[name], "J prompts of M vectors, and the maps from 512 to 768 numbers")
            raise AssertionError(f"numbers_of_maple, {name}: {hint}")
    passed("numbers_of_maple")

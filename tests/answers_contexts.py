"""Answers to the exercises of lessons 05 to 07: right ones, and wrong ones with the hint that fits."""

import torch
import torch.nn.functional as F

from vlprompt import checks

# ---- 05 CoOp -------------------------------------------------------------------------------------------------------


def in_three_parts(x, context):
    M = context.shape[-2]
    return torch.cat([x[:, :1], context.expand(len(x), -1, -1), x[:, 1 + M :]], dim=1)


def written_into_a_copy(x, context):
    full = x.clone()
    full[:, 1 : 1 + context.shape[-2]] = context
    return full


def written_into_x(x, context):
    x[:, 1 : 1 + context.shape[-2]] = context.detach()
    return x


def cat(*parts):
    return torch.cat(parts, dim=1)


def each(x, context):
    return context.expand(len(x), -1, -1)


def sentence(start, context, name, rest):
    half = len(context) // 2
    return torch.cat([start, context[:half], name, context[half:], rest])


def one_by_one(start, context, name, rest):
    rows = [*start, *context, *rest]
    place = 1 + len(context) // 2
    return torch.stack([*rows[:place], *name, *rows[place:]])


COOP = {"unified": 8192, "class-specific": 8_192_000, "can be asked about new classes": "unified"}

# ---- 06 CoCoOp -----------------------------------------------------------------------------------------------------


def two_maps(features, first, second):
    return second(first(F.normalize(features, dim=-1)).relu())


def by_products(features, first, second):
    unit = features / features.norm(dim=1, keepdim=True)
    hidden = (unit @ first.weight.T + first.bias).clamp(min=0)
    return hidden @ second.weight.T + second.bias


def by_einsum(u, t, scale):
    return scale * torch.einsum("be,bce->bc", u, F.normalize(t, dim=-1))


def image_by_image(u, t, scale):
    return torch.stack([scale * F.cosine_similarity(own[None], texts) for own, texts in zip(u, t, strict=True)])


def unit(t):
    return F.normalize(t, dim=-1)


COST = {"numbers": 35_360, "CoOp reads": 100, "CoCoOp reads": 100_000}

# ---- 07 MaPLe ------------------------------------------------------------------------------------------------------


def cut_and_put(x, prompt):
    return torch.cat([x[:, : -len(prompt)], prompt.expand(len(x), -1, -1)], dim=1)


def over_the_last(x, prompt):
    out = x.clone()
    out[:, x.shape[1] - len(prompt) :] = prompt
    return out


def over_x(x, prompt):
    x[:, -len(prompt) :] = prompt.detach()
    return x


def pairwise(context, maps):
    return [linear(c) for c, linear in zip(context, maps, strict=True)]


def by_number(context, maps):
    return tuple(context[j] @ maps[j].weight.T + maps[j].bias for j in range(len(maps)))


MAPLE = {"MaPLe": 3_555_072, "MaPLe†": 403_200}

RIGHT = [
    (checks.put_context, in_three_parts),
    (checks.put_context, written_into_a_copy),
    (checks.in_the_middle, sentence),
    (checks.in_the_middle, one_by_one),
    (checks.numbers_of_coop, lambda: dict(COOP)),
    (checks.numbers_of_coop, lambda: {k: COOP[k] for k in reversed(COOP)}),
    (checks.shift, two_maps),
    (checks.shift, by_products),
    (checks.image_logits, by_einsum),
    (checks.image_logits, image_by_image),
    (checks.cost_of_a_prompt_each, lambda: dict(COST)),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "numbers": 2048 + 513 * 32 + 33 * 512}),
    (checks.replace_prompts, cut_and_put),
    (checks.replace_prompts, over_the_last),
    (checks.vision_prompts, pairwise),
    (checks.vision_prompts, by_number),
    (checks.numbers_of_maple, lambda: dict(MAPLE)),
    (checks.numbers_of_maple, lambda: {"MaPLe†": 403_200, "MaPLe": 9 * (1024 + 513 * 768)}),
]

WRONG = [
    # the context's places
    (checks.put_context, lambda x, c: cat(each(x, c), x[:, 2:]), "overwrites the start token"),
    (checks.put_context, lambda x, c: cat(x[:, :1], each(x, c), x[:, 1:]), "the sentences grew"),
    (checks.put_context, lambda x, c: cat(x, each(x, c)), "behind the end token nobody reads"),
    (checks.put_context, lambda x, c: cat(x[:, :-2], each(x, c)), "stands behind the end token"),
    (checks.put_context, lambda x, c: x + F.pad(c, (0, 0, 1, 5)), "added to what stood there"),
    (checks.put_context, lambda x, c: in_three_parts(x, c if c.ndim == 2 else c[0]), "that of the first"),
    (checks.put_context, lambda x, c: x, "comes back as it was"),
    (checks.put_context, written_into_x, "`x` itself was changed"),
    (checks.put_context, lambda x, c: in_three_parts(x, c.detach()), "no gradient reaches the context"),
    (checks.put_context, lambda x, c: in_three_parts(x, -c), "other values"),
    # the name in the middle
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, c, n, r]), "the end position"),
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, n, c, r]), "the front position"),
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, c[2:], n, c[:2], r]), "the halves are swapped"),
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, c[:2], n, c[:2], r]), "stands on both sides"),
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, c[:2], n, r]), "the other half is missing"),
    (checks.in_the_middle, lambda s, c, n, r: sentence(s, c, n, r[:0]), "the end token is what is read"),
    (checks.in_the_middle, lambda s, c, n, r: sentence(s[:0], c, n, r), "the start token is missing"),
    (checks.in_the_middle, lambda s, c, n, r: torch.cat([s, c[::2], n, c[1::2], r]), "every second vector"),
    (
        checks.in_the_middle,
        lambda s, c, n, r: torch.cat([s, c[: (len(c) + 1) // 2], n, c[(len(c) + 1) // 2 :], r]),
        "the smaller half comes first",
    ),
    # CoOp's numbers
    (checks.numbers_of_coop, lambda: {**COOP, "unified": 16}, "the number of vectors"),
    (checks.numbers_of_coop, lambda: {**COOP, "unified": 77 * 512}, "only 16 hold learned vectors"),
    (checks.numbers_of_coop, lambda: {**COOP, "unified": 8_192_000}, "the same for all of them"),
    (checks.numbers_of_coop, lambda: {**COOP, "class-specific": 8192}, "a context of its own"),
    (checks.numbers_of_coop, lambda: {**COOP, "class-specific": 512_000}, "16 vectors of its own"),
    (checks.numbers_of_coop, lambda: {**COOP, "can be asked about new classes": "both"}, "no picture trained one"),
    (checks.numbers_of_coop, lambda: {"unified": 8192}, "return"),
    # Meta-Net
    (checks.shift, lambda f, a, b: b(a(f).relu()), "normalise the image's features first"),
    (checks.shift, lambda f, a, b: b(a(F.normalize(f, dim=0)).relu()), "runs over the images"),
    (checks.shift, lambda f, a, b: b(a(unit(f))), "the ReLU between the two maps is missing"),
    (checks.shift, lambda f, a, b: b(a(unit(f))).relu(), "not behind the second"),
    (checks.shift, lambda f, a, b: two_maps(f, a, b).relu(), "may be negative"),
    (checks.shift, lambda f, a, b: a(unit(f)).relu(), "the second map is missing"),
    (checks.shift, lambda f, a, b: (unit(f) @ a.weight.T).relu() @ b.weight.T, "the biases are missing"),
    (checks.shift, lambda f, a, b: unit(two_maps(f, a, b)), "only the image's features are"),
    # logits of image and sentences that belong to it
    (checks.image_logits, lambda u, t, s: s * torch.einsum("be,bce->bc", u, t), "not of length one yet"),
    (checks.image_logits, lambda u, t, s: s * torch.einsum("be,bce->bc", u, F.normalize(t)), "give dim=-1"),
    (checks.image_logits, lambda u, t, s: s * u @ unit(t)[0].T, "the first image's sentences"),
    (checks.image_logits, lambda u, t, s: s * u @ unit(t).mean(0).T, "averaged over the images"),
    (checks.image_logits, lambda u, t, s: s * (u @ unit(t).mT).transpose(0, 1), "pair them"),
    (checks.image_logits, lambda u, t, s: s * torch.einsum("ce,bce->bc", u, unit(t)), "swapped"),
    (checks.image_logits, lambda u, t, s: by_einsum(u, t, 1.0), "the scale is missing"),
    (checks.image_logits, lambda u, t, s: by_einsum(u, t, s).softmax(1), "probabilities already"),
    (checks.image_logits, lambda u, t, s: by_einsum(u, t, s).softmax(0), "runs over the images"),
    # what it costs
    (checks.cost_of_a_prompt_each, lambda: {**COST, "numbers": 2048}, "Meta-Net learns too"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "numbers": 33_312}, "the context learns too"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "numbers": 34_816}, "the two biases are missing"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "CoOp reads": 100_000}, "read once and kept"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "CoCoOp reads": 100}, "none of them can be kept"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "CoCoOp reads": 1000}, "a sentence for each class"),
    (checks.cost_of_a_prompt_each, lambda: {**COST, "CoCoOp reads": 7}, "count again"),
    (checks.cost_of_a_prompt_each, lambda: {"numbers": 35_360}, "return a number for each of"),
    # prompts of a deeper layer
    (checks.replace_prompts, lambda x, p: torch.cat([x[:, :-2], x[:, -2:] + p], dim=1), "nothing is added up"),
    (checks.replace_prompts, lambda x, p: cat(x, each(x, p)), "grow from layer to layer"),
    (checks.replace_prompts, lambda x, p: cat(each(x, p), x[:, 2:]), "overwrites the class token"),
    (checks.replace_prompts, lambda x, p: cat(x[:, :1], each(x, p), x[:, 3:]), "overwrites patches"),
    (checks.replace_prompts, lambda x, p: x, "the layer before is still in place"),
    (checks.replace_prompts, lambda x, p: x[:, :-2], "the new one is missing"),
    (checks.replace_prompts, lambda x, p: cat(x[:, :-1], each(x, p)), "one token too many"),
    (checks.replace_prompts, lambda x, p: cat(each(x, p), x[:, :-2]), "stands in front of them"),
    (checks.replace_prompts, over_x, "`x` itself was changed"),
    (checks.replace_prompts, lambda x, p: cut_and_put(x, p.detach()), "no gradient reaches the prompt"),
    # the coupling
    (checks.vision_prompts, lambda c, m: [m[0](x) for x in c], "one map for all layers"),
    (checks.vision_prompts, lambda c, m: [f(c[0]) for f in m], "each layer has its own"),
    (checks.vision_prompts, lambda c, m: pairwise(c, m[::-1]), "opposite order"),
    (checks.vision_prompts, lambda c, m: [x @ f.weight.T for x, f in zip(c, m, strict=True)], "the biases are missing"),
    (checks.vision_prompts, lambda c, m: torch.stack(pairwise(c, m)).cumsum(0), "that of the layer before"),
    (checks.vision_prompts, lambda c, m: pairwise(c[1:], m[1:]), "the first layer has one as well"),
    (checks.vision_prompts, lambda c, m: pairwise(c, m) * 2, "one for each layer"),
    (checks.vision_prompts, lambda c, m: c, "the text prompts come back"),
    (checks.vision_prompts, lambda c, m: [x.mean(0) for x in pairwise(c, m)], "M vectors as wide as"),
    (checks.vision_prompts, lambda c, m: [-x for x in pairwise(c, m)], "other values"),
    # MaPLe's numbers
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 9216}, "the maps learn too"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 9 * 513 * 768}, "the text prompts learn too"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 9216 + 9 * 512 * 768}, "biases are missing"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 9216 + 9 * 769 * 512}, "from text to vision"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 9216 + 9 * 2 * 768}, "vision prompts are not learned"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe": 4_740_096}, "J is 9"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe†": 406_272}, "J is 9"),
    (checks.numbers_of_maple, lambda: {**MAPLE, "MaPLe†": 3_555_072}, "one map for all layers is MaPLe†"),
    (checks.numbers_of_maple, lambda: {"MaPLe": 3_555_072}, "return"),
]

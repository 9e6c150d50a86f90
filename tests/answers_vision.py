"""Answers to the exercises of lessons 03 and 04: right ones, and wrong ones with the hint that fits."""

import torch
import torch.nn.functional as F

from vlprompt import checks

# ---- 03 visual prompt tuning ------------------------------------------------------------------------------------


def in_one_line(J, M, d, E, C):
    return J * M * d + E * C + C


def by_shapes(J, M, d, E, C):
    parts = [torch.empty(M, d) for _ in range(J)] + [torch.empty(C, E), torch.empty(C)]
    return sum(part.numel() for part in parts)


def row_of_the_whole(q, k):
    scores = torch.einsum("bhqe,bhke->bhqk", q, k) / q.shape[-1] ** 0.5
    return scores.softmax(dim=-1)[:, :, 0]


def row_alone(q, k):
    scores = (k * q[:, :, :1]).sum(-1) / 2
    exponents = (scores - scores.amax(-1, keepdim=True)).exp()
    return exponents / exponents.sum(-1, keepdim=True)


def scores(q, k):
    return q @ k.transpose(-2, -1)


# ---- 04 prompts in pixels ---------------------------------------------------------------------------------------


def by_padding(patch, row, column, H, W):
    p = patch.shape[-1]
    return F.pad(patch, (column, W - column - p, row, H - row - p))


def by_slices(patch, row, column, H, W):
    prompt = torch.zeros(3, H, W)
    prompt[:, row : row + patch.shape[1], column : column + patch.shape[2]] = patch
    return prompt


def by_products(patch, row, column, H, W):
    """A one in each row and column of the patch: rows of places times the patch times columns of places."""
    rows, columns = torch.eye(H)[:, row : row + 2], torch.eye(W)[column : column + 2]
    return rows @ patch @ columns


def by_colour(prompt, mean, std):
    return torch.stack([255 * plane * float(s) for plane, s in zip(prompt, std, strict=True)])


def by_view(prompt, mean, std):
    return prompt * (255 * std).view(3, 1, 1)


def by_difference(prompt, mean, std):
    """A picture with and without the prompt, both put back."""
    m, s = mean[:, None, None], std[:, None, None]
    return 255 * ((1 + prompt) * s + m) - 255 * (s + m)


TOUCHED = {"ViT-B/16": 96, "ViT-B/32": 24, "the small CLIP": 12}

RIGHT = [
    (checks.numbers_of_vpt, in_one_line),
    (checks.numbers_of_vpt, by_shapes),
    (checks.class_row, row_of_the_whole),
    (checks.class_row, row_alone),
    (checks.unchanged, lambda: {"a", "b", "d"}),
    (checks.unchanged, lambda: ["D", "B", "A"]),
    (checks.put_patch, by_padding),
    (checks.put_patch, by_slices),
    (checks.put_patch, by_products),
    (checks.to_levels, by_colour),
    (checks.to_levels, by_view),
    (checks.to_levels, by_difference),
    (checks.touched, lambda: dict(TOUCHED)),
    (checks.touched, lambda: {name: TOUCHED[name] for name in reversed(TOUCHED)}),
]

WRONG = [
    # VPT's numbers
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M * d, "the head learns too"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: (E + 1) * C, "the tokens learn too"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M * d + E * C, "a bias for each class"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: M * d + (E + 1) * C, "VPT-shallow"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: (J - 1) * M * d + (E + 1) * C, "the first layer has tokens"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * (M * d + (E + 1) * C), "one head, after the last layer"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * d + (E + 1) * C, "one token a layer"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M + (E + 1) * C, "not one number"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M * E + (E + 1) * C, "E is what comes out of the tower"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M * d + (d + 1) * C, "the head reads the features"),
    (checks.numbers_of_vpt, lambda J, M, d, E, C: J * M * d * C + (E + 1) * C, "the same for all classes"),
    (checks.numbers_of_vpt, lambda *_: 7, "J·M vectors"),
    # the class token's attention
    (checks.class_row, lambda q, k: scores(q, k).softmax(-1)[:, :, 0], "the products are not divided"),
    (checks.class_row, lambda q, k: (scores(q, k) / q.shape[-1]).softmax(-1)[:, :, 0], "not by e"),
    (checks.class_row, lambda q, k: (scores(q, k) / 12**0.5).softmax(-1)[:, :, 0], "of the whole width"),
    (checks.class_row, lambda q, k: scores(q, k)[:, :, 0] / 2, "the softmax is missing"),
    (checks.class_row, lambda q, k: (scores(q, k) / 2).softmax(2)[:, :, 0], "over the keys"),
    (checks.class_row, lambda q, k: (scores(q, k)[:, :, 0] / 2).softmax(1), "over the heads"),
    (checks.class_row, lambda q, k: row_of_the_whole(k, q)[..., :], "other values"),
    (checks.class_row, lambda q, k: (scores(q, k) / 2).softmax(-1)[:, :, :, 0], "that is a column"),
    (checks.class_row, lambda q, k: (scores(q, k) / 2).softmax(-1)[:, :, -1], "the last token's row"),
    (checks.class_row, lambda q, k: (scores(q, k) / 2).softmax(-1), "everybody's attention"),
    (checks.class_row, lambda q, k: row_of_the_whole(q, k).mean(1), "the heads are averaged"),
    # what changes nothing
    (checks.unchanged, lambda: {"a", "b", "c", "d"}, "ln_pre"),
    (checks.unchanged, lambda: {"a", "b", "d", "e"}, "the sum of two tokens"),
    (checks.unchanged, lambda: {"b", "d"}, "'a': attention is a sum"),
    (checks.unchanged, lambda: {"a", "d"}, "'b': nothing in a layer"),
    (checks.unchanged, lambda: {"a", "b"}, "'d': who reads a token"),
    (checks.unchanged, lambda: {"a", "b", "d", "f"}, "a set of letters"),
    # a patch at its place
    (checks.put_patch, lambda p, r, c, H, W: by_padding(p, c, r, H, W), "row and column are swapped"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p, H - 2 - r, W - 2 - c, H, W), "rows count from above"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p, 0, 0, H, W), "stands in the corner"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p, r - 1, c - 1, H, W), "the place of its middle"),
    (checks.put_patch, lambda p, r, c, H, W: F.pad(p, (c, W - 2 - c, r, H - 2 - r), value=1), "stand ones"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p[0].expand(3, 2, 2), r, c, H, W), "the first colour's patch"),
    (checks.put_patch, lambda p, r, c, H, W: p, "the patch alone"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p.detach(), r, c, H, W), "no gradient"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p, r, c, W, H)[:, :, :3], "the shape"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(-p, r, c, H, W), "other values"),
    (checks.put_patch, lambda p, r, c, H, W: by_slices(p, 1, 4, 6, 9), "the shape"),
    # levels of a screen
    (checks.to_levels, lambda p, m, s: 255 * (p * s[:, None, None] + m[:, None, None]), "lost the mean"),
    (checks.to_levels, lambda p, m, s: p * s[:, None, None] + m[:, None, None], "no mean, but times 255"),
    (checks.to_levels, lambda p, m, s: p * s[:, None, None], "white is 255"),
    (checks.to_levels, lambda p, m, s: 255 * p / s[:, None, None], "the way back multiplies"),
    (checks.to_levels, lambda p, m, s: (p - m[:, None, None]) / s[:, None, None], "normalises once more"),
    (checks.to_levels, lambda p, m, s: 255 * p, "the standard deviation is missing"),
    (checks.to_levels, lambda p, m, s: 255 * p * s, "along the columns"),
    (checks.to_levels, lambda p, m, s: 255 * p * s[:, None], "along the rows"),
    # patches that a frame touches
    (checks.touched, lambda: {**TOUCHED, "ViT-B/16": 100}, "leaves alone"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/16": 112}, "in the corners are counted twice"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/16": 52}, "reaches the next row"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/32": 13}, "on all four sides"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/32": 49}, "that is all of them"),
    (checks.touched, lambda: {**TOUCHED, "the small CLIP": 13}, "the class token comes from no pixel"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/16": 91}, "its share of the pixels"),
    (checks.touched, lambda: {**TOUCHED, "ViT-B/16": 2}, "14 by 14 patches"),
    (checks.touched, lambda: {"ViT-B/16": 96}, "return"),
]

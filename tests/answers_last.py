"""Answers to the exercises of lessons 08 and 09: right ones, and wrong ones with the hint that fits."""

import math
import random
from statistics import NormalDist, fmean

import torch

from vlprompt import checks

# ---- 08 depth and length -------------------------------------------------------------------------------------------

GROWS = {
    "numbers learned": "both",
    "tokens in a layer of the image tower": "M",
    "places of a sentence": "M",
    "layers in which prompts are replaced": "J",
    "numbers in the frozen towers": "neither",
}
TOKENS, PLACES = list(GROWS)[1:3]


def by_max(validation, test):
    place = max(validation, key=lambda p: sum(validation[p]) / len(validation[p]))
    return place, sum(test[place]) / len(test[place])


def by_sorting(validation, test):
    ranked = sorted(validation.items(), key=lambda item: fmean(item[1]))
    return [ranked[-1][0], fmean(test[ranked[-1][0]])][0], fmean(test[ranked[-1][0]])


def mean_at(validation, test, place):
    return place, fmean(test[place])


def best_by(scores):
    return max(scores, key=scores.get)


def by_drawing(settings, seeds, noise):
    draw = torch.Generator().manual_seed(0)
    runs = noise * torch.randn(8000, settings, seeds, generator=draw)
    return runs.mean(2).max(1).values.mean().item()


def by_plain_python(settings, seeds, noise):
    draw = random.Random(1)
    tries = [max(fmean(draw.gauss(0, noise) for _ in range(seeds)) for _ in range(settings)) for _ in range(3000)]
    return fmean(tries)


def by_blom(settings, seeds, noise):
    """A known approximation of the largest of normal numbers."""
    return NormalDist().inv_cdf((settings - 0.375) / (settings + 0.25)) * noise / math.sqrt(seeds)


# ---- 09 your own task ----------------------------------------------------------------------------------------------


def by_shuffling(groups, share, seed):
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    chosen = set(names[: max(1, round(share * len(names)))])
    return [group in chosen for group in groups]


def with_torch(groups, share, seed):
    names = sorted(set(groups))
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed))
    rank = {names[i]: place for place, i in enumerate(order.tolist())}
    return torch.tensor([rank[group] < share * len(names) for group in groups])


def image_by_image(groups, share, seed):
    draw = random.Random(seed)
    return [draw.random() < share for _ in groups]


def turned_round(groups, share, seed):
    return [not side for side in by_shuffling(groups, share, seed)]


def always_the_first(groups, share, seed):
    chosen = set(sorted(set(groups))[: round(share * len(set(groups)))])
    return [group in chosen for group in groups]


def without_the_seed(groups, share, seed, draw=random.Random(0)):  # noqa: B008  one generator for all calls is the slip
    return by_shuffling(groups, share, draw.randrange(10**6))


def without_the_share(groups, share, seed):
    return by_shuffling(groups, 0.25, seed)


RIGHT = [
    (checks.what_grows, lambda: dict(GROWS)),
    (checks.what_grows, lambda: {count: GROWS[count] for count in reversed(GROWS)}),
    (checks.choose_fairly, by_max),
    (checks.choose_fairly, by_sorting),
    (checks.luck, by_drawing),
    (checks.luck, by_plain_python),
    (checks.luck, by_blom),
    (checks.by_group, by_shuffling),
    (checks.by_group, with_torch),
    (checks.what_may_be_said, lambda: {"a", "d"}),
    (checks.what_may_be_said, lambda: ["D", "A"]),
]

WRONG = [
    # what grows with what
    (checks.what_grows, lambda: {**GROWS, "numbers learned": "J"}, "each of the J contexts has M vectors"),
    (checks.what_grows, lambda: {**GROWS, "numbers learned": "M"}, "a map of its own"),
    (checks.what_grows, lambda: {**GROWS, TOKENS: "both"}, "nothing piles up"),
    (checks.what_grows, lambda: {**GROWS, TOKENS: "J"}, "how many come at once"),
    (checks.what_grows, lambda: {**GROWS, PLACES: "both"}, "filled anew in each of the J layers"),
    (checks.what_grows, lambda: {**GROWS, PLACES: "neither"}, "which of them has M places"),
    (checks.what_grows, lambda: {**GROWS, "layers in which prompts are replaced": "both"}, "J - 1 layers"),
    (checks.what_grows, lambda: {**GROWS, "numbers in the frozen towers": "J"}, "they are frozen"),
    (checks.what_grows, lambda: {**GROWS, "numbers learned": "yes"}, 'the answer is "J", "M"'),
    (checks.what_grows, lambda: {"numbers learned": "both"}, "answer for each of"),
    # a choice that is fair
    (checks.choose_fairly, lambda v, t: by_max(t, t), "chosen on the test accuracies"),
    (checks.choose_fairly, lambda v, t: mean_at(v, t, best_by({p: max(r) for p, r in v.items()})), "one lucky seed"),
    (checks.choose_fairly, lambda v, t: mean_at(v, t, min(v, key=lambda p: fmean(v[p]))), "the worst of them"),
    (checks.choose_fairly, lambda v, t: by_max(v, v), "which chose it, and so flatters"),
    (checks.choose_fairly, lambda v, t: (by_max(v, t)[0], max(t[by_max(v, t)[0]])), "its best seed"),
    (checks.choose_fairly, lambda v, t: (by_max(v, t)[0], by_max(t, t)[1]), "the best place on test"),
    (
        checks.choose_fairly,
        lambda v, t: (by_max(v, t)[0], fmean(t[best_by({p: r[s] for p, r in v.items()})][s] for s in range(3))),
        "lets each seed choose",
    ),
    (checks.choose_fairly, lambda v, t: (by_max(v, t)[0], 50.0), "what is its mean on test"),
    (checks.choose_fairly, lambda v, t: by_max(v, t)[1], "return two things"),
    # the luck of the best
    (checks.luck, lambda K, n, s: 0.0, "the largest of many is not the average one"),
    (checks.luck, lambda K, n, s: by_blom(K, 1, s), "smaller than that of one run"),
    (checks.luck, lambda K, n, s: by_blom(K * n, 1, s), "first, then the largest"),
    (checks.luck, lambda K, n, s: -by_drawing(K, n, s), "the worst-looking one falls short"),
    (checks.luck, lambda K, n, s: 2 * by_drawing(K, n, s), "all equally good"),
    (checks.luck, lambda K, n, s: s / math.sqrt(n), "the spread of one mean"),
    (checks.luck, lambda K, n, s: by_blom(K, n * n, s), "the root of the number of seeds"),
    (checks.luck, lambda K, n, s: s * math.sqrt(2 * math.log(K) / n), "very many settings"),
    (checks.luck, lambda K, n, s: 50.0, "draw many times"),
    # a split by groups
    (checks.by_group, image_by_image, "stands on both sides"),
    (checks.by_group, turned_round, "three quarters of the groups test"),
    (checks.by_group, always_the_first, "every seed gives the same split"),
    (checks.by_group, without_the_seed, "the same seed gives another split"),
    (checks.by_group, without_the_share, "is the share used"),
    (checks.by_group, lambda g, s, seed: [True] * len(g), "nothing is left to train on"),
    (checks.by_group, lambda g, s, seed: [False] * len(g), "nothing is left to test on"),
    (checks.by_group, lambda g, s, seed: by_shuffling(sorted(set(g)), s, seed), "8 answers for 15 images"),
    (checks.by_group, lambda g, s, seed: by_shuffling(g, 0.6, seed), "5 of 8 groups test"),
    # what numbers allow
    (checks.what_may_be_said, lambda: {"a", "b", "d"}, "the runs are paired"),
    (checks.what_may_be_said, lambda: {"a", "c", "d"}, "one task was measured"),
    (checks.what_may_be_said, lambda: {"a", "d", "e"}, "chance had six tries"),
    (checks.what_may_be_said, lambda: {"d"}, "'a': the difference, seed by seed"),
    (checks.what_may_be_said, lambda: {"a"}, "'d': what was drawn anew"),
    (checks.what_may_be_said, lambda: {"a", "x"}, "'x' is none of the letters"),
]

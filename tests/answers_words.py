"""Answers to the exercises of lessons 00 to 02: right ones, and wrong ones with the hint that fits."""

import torch
import torch.nn.functional as F

from vlprompt import checks


def sides_multiplied(module):
    return sum(int(torch.tensor(p.shape).prod()) for p in module.parameters())


def one_by_one(module):
    total = 0
    for parameter in module.parameters():
        total += parameter.numel()
    return total


def by_topk(image, texts, names, k):
    scores = F.normalize(texts, dim=-1) @ F.normalize(image, dim=-1)
    return [names[i] for i in scores.topk(k).indices]


def by_sorting(image, texts, names, k):
    scores = [float(image @ text / image.norm() / text.norm()) for text in texts]
    return [name for _, name in sorted(zip(scores, names, strict=True), reverse=True)][:k]


def pairs(x, tokens):
    return x[torch.arange(len(x)), tokens.argmax(dim=1)]


def sentence_by_sentence(x, tokens):
    return torch.stack([row[ids.tolist().index(49407)] for row, ids in zip(x, tokens, strict=True)])


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def mean_of_units(features):
    return F.normalize(F.normalize(features, dim=-1).mean(dim=0), dim=-1)


def sum_of_units(features):
    return unit(sum(unit(each) for each in features))


def by_mask(x, mask):
    kept = [F.normalize(row[its.bool()].mean(0), dim=-1) for row, its in zip(x, mask, strict=True)]
    return torch.stack(kept)


def by_matrix(x, mask):
    return F.normalize(torch.einsum("nle,nl->ne", x, mask.float()), dim=-1)


def means_by_slices(p, verbalizer):
    columns, start = [], 0
    for words in verbalizer.values():
        columns.append(p[:, start : start + len(words)].mean(1))
        start += len(words)
    means = torch.stack(columns, dim=1)
    return means / means.sum(1, keepdim=True)


def means_by_matrix(p, verbalizer):
    owner = torch.tensor([i for i, words in enumerate(verbalizer.values()) for _ in words])
    member = F.one_hot(owner).float()  # (A, L)
    return F.normalize(p @ member / member.sum(0), p=1, dim=1)


def parts(p, verbalizer):
    return p.split([len(words) for words in verbalizer.values()], dim=1)


def sums(p, verbalizer):
    return torch.stack([part.sum(1) for part in parts(p, verbalizer)], dim=1)


def means(p, verbalizer):
    return torch.stack([part.mean(1) for part in parts(p, verbalizer)], dim=1)


def tops(p, verbalizer):
    return torch.stack([part.amax(1) for part in parts(p, verbalizer)], dim=1)


SCALED = {"probabilities": True, "label, one word each": False, "label, many words each": True}
TRUTH = {"logits": True, "probabilities": False, "accuracy": False}
NEVER = "not written yet"


RIGHT = [
    (checks.pool, by_mask),
    (checks.pool, by_matrix),
    (checks.map_words, means_by_slices),
    (checks.map_words, means_by_matrix),
    (checks.scaled, lambda: dict(SCALED)),
    (checks.scaled, lambda: dict(reversed(SCALED.items()))),
    (checks.count_numbers, sides_multiplied),
    (checks.count_numbers, one_by_one),
    (checks.best_names, by_topk),
    (checks.best_names, by_sorting),
    (checks.what_it_saw, lambda: {"b", "c"}),
    (checks.what_it_saw, lambda: ["C", "B"]),
    (checks.read_end, pairs),
    (checks.read_end, sentence_by_sentence),
    (checks.shifted, lambda: dict(TRUTH)),
    (checks.shifted, lambda: {"accuracy": False, "logits": True, "probabilities": False}),
    (checks.ensemble, mean_of_units),
    (checks.ensemble, sum_of_units),
]

WRONG = [
    # the mean over the words
    (checks.pool, lambda x, m: F.normalize(x.mean(1), dim=-1), "the filling counts too: multiply"),
    (checks.pool, lambda x, m: x.mean(1), "the filling counts too, and"),
    (checks.pool, lambda x, m: (x * m[..., None]).sum(1) / m.sum(1, keepdim=True), "not yet of length 1"),
    (checks.pool, lambda x, m: (x * m[..., None]).sum(1), "this is the sum"),
    (checks.pool, lambda x, m: (x * m[..., None]).mean(1), "divided by the number of places"),
    (checks.pool, lambda x, m: F.normalize(x[:, 0], dim=-1), "the first token alone"),
    (checks.pool, lambda x, m: unit((unit(x) * m[..., None]).sum(1)), "each token was made of length 1"),
    (checks.pool, lambda x, m: F.normalize(by_matrix(x, m) * 2 / (x * 0 + 1).sum(1), dim=0), "other values"),
    (checks.pool, lambda x, m: (x * (m[..., None] - 1)).sum(1) / 0, "there are nan"),
    # from words to labels
    (checks.map_words, sums, "the sum over a label's words"),
    (checks.map_words, means, "do not add up to 1 yet"),
    (checks.map_words, tops, "the best words alone"),
    (checks.map_words, lambda p, v: F.normalize(tops(p, v), p=1, dim=1), "takes each label's best word"),
    (checks.map_words, lambda p, v: means(p, v).softmax(1), "already flattens them"),
    (checks.map_words, lambda p, v: means(p, v) / means(p, v).sum(0), "the sum over the sentences"),
    (checks.map_words, lambda p, v: p, "the shape"),
    # what a scale changes
    (checks.scaled, lambda: {**SCALED, "probabilities": False}, "compute them"),
    (checks.scaled, lambda: {**SCALED, "label, one word each": True}, "still the largest"),
    (checks.scaled, lambda: {**SCALED, "label, many words each": False}, "exp favours the largest"),
    (checks.scaled, lambda: {"probabilities": True}, "each True or False"),
    # numbers of a module
    (
        checks.count_numbers,
        lambda m: sum(p.numel() for p in m.parameters() if p.requires_grad),
        "frozen parameters count",
    ),
    (checks.count_numbers, lambda m: len(list(m.parameters())), "how many tensors there are"),
    (checks.count_numbers, lambda m: sum(len(p) for p in m.parameters()), "adds up the first sides"),
    (checks.count_numbers, lambda m: sum(p.numel() for p in m.parameters() if p.ndim > 1), "vectors count too"),
    (checks.count_numbers, lambda m: sum(p.numel() for p in m[0].parameters()), "that is the first part"),
    (checks.count_numbers, lambda m: 31, "31 numbers, but the module holds 36"),
    # the nearest names
    (checks.best_names, lambda i, t, n, k: [n[j] for j in (t @ i).topk(k).indices], "divide each vector by its length"),
    (checks.best_names, lambda i, t, n, k: by_topk(-i, t, n, k), "those are the worst"),
    (
        checks.best_names,
        lambda i, t, n, k: [n[j] for j in (t - i).norm(dim=1).topk(k, largest=False).indices],
        "distance",
    ),
    (checks.best_names, lambda i, t, n, k: by_topk(i, t, n, k)[::-1], "the best must come first"),
    (checks.best_names, lambda i, t, n, k: by_topk(i, t, n, k)[:1], "only one name"),
    (checks.best_names, lambda i, t, n, k: F.cosine_similarity(i[None], t).topk(k).indices, "the names themselves"),
    (checks.best_names, lambda i, t, n, k: n[:k], "other names than the cosines give"),
    # what it may have seen
    (checks.what_it_saw, lambda: {"a", "b", "c"}, "what it remembers"),
    (checks.what_it_saw, lambda: {"b"}, "along the row of flat fluent"),
    (checks.what_it_saw, lambda: {"c"}, "the column of the fox"),
    (checks.what_it_saw, lambda: {"b", "c", "d"}, "kept away from everybody"),
    (checks.what_it_saw, lambda: {"b", "c", "e"}, "a set of letters"),
    # the end token
    (checks.read_end, lambda x, t: x[:, -1], "only padding"),
    (checks.read_end, lambda x, t: x[:, 0], "the start token"),
    (checks.read_end, lambda x, t: x[torch.arange(len(x)), t.argmax(1) - 1], "the last word"),
    (checks.read_end, lambda x, t: x[torch.arange(len(x)), (t != 0).sum(1)], "one place after"),
    (checks.read_end, lambda x, t: x[:, t.argmax(1)], "torch.arange"),
    (checks.read_end, lambda x, t: x[:, t.argmax(1).max()], "each sentence has its own end"),
    (checks.read_end, lambda x, t: x.mean(1), "the mean over places"),
    (checks.read_end, lambda x, t: x.max(1).values, "other values"),
    (checks.read_end, lambda x, t: x, "the shape"),
    (checks.read_end, lambda x, t: t.argmax(1).tolist(), "a tensor is wanted"),
    # what a shift changes
    (checks.shifted, lambda: {**TRUTH, "logits": False}, "hardly ever zero"),
    (checks.shifted, lambda: {**TRUTH, "probabilities": True}, "what does softmax make of that"),
    (checks.shifted, lambda: {**TRUTH, "accuracy": True}, "stays the largest"),
    (checks.shifted, lambda: {"logits": True}, "each True or False"),
    # ensembles
    (checks.ensemble, lambda f: F.normalize(f.mean(0), dim=-1), "normalise before the mean"),
    (checks.ensemble, lambda f: unit(f).mean(0), "once more at the end"),
    (checks.ensemble, lambda f: unit(f).sum(0), "the sum of unit vectors"),
    (checks.ensemble, lambda f: f.mean(0), "the plain mean"),
    (checks.ensemble, lambda f: unit(unit(f).mean(1)), "the templates are the first dimension"),
    (checks.ensemble, lambda f: F.normalize(F.normalize(f, dim=0).mean(0), dim=0), "over the last dimension"),
    (checks.ensemble, lambda f: F.normalize(F.normalize(f).mean(0), dim=-1), "takes dimension 1 unless told"),
    (checks.ensemble, lambda f: unit(f[0]), "other values"),
]

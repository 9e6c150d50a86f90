"""The three steps of prompting in language: prompt addition, answer search, answer mapping.

The steps and the slots are those of Liu and others, Pre-train, Prompt, and Predict (2021), section 3: a template has an
input slot `[X]` for the sentence and an answer slot `[Z]` for the word. The language model is MiniLM, which compares
texts and has no `[MASK]` to fill, so a word z is scored by whether the prompt with z in it belongs to the sentence:
p(z | x) is the softmax over the words of 20 times their cosine. It is what CLIP does with a picture for the sentence.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vlprompt.nlp.minilm import SCALE, load_minilm
from vlprompt.nlp.read import read_answers, read_sentences, read_template, read_templates, read_verbalizer

# The best of lesson 01 on its development sentences: four templates, and words and short phrases in pairs.
TEMPLATES = ("[X] It was [Z].", "[X] I am so [Z].", "[X] It makes me feel [Z].", "[X] This is [Z] news.")
PAIRS = """
good, bad; great, terrible; wonderful, awful; happy, sad; excellent, poor; perfect, horrible; lovely, nasty;
amazing, disappointing; fantastic, dreadful; pleasant, unpleasant; delightful, miserable; enjoyable, boring;
satisfying, frustrating; useful, useless; pleased, annoyed; superb, lousy; impressive, mediocre; joyful, gloomy;
lucky, unlucky; proud, ashamed; glad, sorry; successful, unsuccessful; thrilled, angry; delighted, disappointed;
positive, negative; not bad, not good; without any problem, a big problem; no trouble at all, nothing but trouble;
better than expected, worse than expected; never boring, never interesting; solved, a problem
"""
VERBALIZER: Mapping[str, Sequence[str]] = {
    label: tuple(pair.split(", ")[side].strip() for pair in PAIRS.split(";"))
    for side, label in enumerate(("positive", "negative"))
}

# ---- step 1: prompt addition ----------------------------------------------------------------------


def add_prompt(template: str, sentence: str, answer: str = "[MASK]") -> str:
    """The sentence in its template, the blank filled with `answer`, or still open for a model that can fill it."""
    before, _, after = read_template(template).partition("[X]")
    return before.replace("[Z]", answer) + sentence + after.replace("[Z]", answer)


def halves(template: str) -> tuple[str, str]:
    """A template cut in two: the part with `[X]`, and the part with `[Z]`, which a model that compares needs apart."""
    before, after = read_template(template).split("[X]")
    with_sentence, with_answer = (before + "[X]", after) if "[Z]" in after else ("[X]" + after, before)
    return with_sentence.strip(), with_answer.strip(" ,;:")


# ---- step 2: answer search ------------------------------------------------------------------------


def search_answers(sentences: Sequence[str], template: str | Sequence[str], answers: Sequence[str]) -> Tensor:
    """log p(z | x) of each answer for each sentence, (N, A).

    `template`: one, or several, whose vectors are averaged as those of CLIP's ensembles are. `answers`: the words or
    short phrases that may fill the blank. ValueError for a template without its slots, no answers, or a sentence that
    is no text, empty or too long.
    """
    texts, templates, answers = read_sentences(sentences), read_templates(template), read_answers(answers)
    cosines = 0
    for with_sentence, group in by_first_half(templates).items():
        x = load_minilm().encode([with_sentence.replace("[X]", text) for text in texts])  # (N, E)
        z = F.normalize(sum(answer_vectors(half, answers) for half in group), dim=-1)  # (A, E)
        cosines = cosines + x @ z.T * len(group) / len(templates)  # (N, A)
    return (SCALE * cosines).log_softmax(dim=-1)


@lru_cache(maxsize=256)
def answer_vectors(with_answer: str, answers: tuple[str, ...]) -> Tensor:
    """The vector of a half template filled with each answer, (A, E); kept, since every sentence meets the same ones."""
    return load_minilm().encode([with_answer.replace("[Z]", answer) for answer in answers])


def by_first_half(templates: Sequence[str]) -> dict[str, list[str]]:
    """The halves with `[Z]`, grouped by the half with `[X]`, so that each of those is encoded once."""
    groups: dict[str, list[str]] = {}
    for with_sentence, with_answer in map(halves, templates):
        groups.setdefault(with_sentence, []).append(with_answer)
    return groups


# ---- step 3: answer mapping -----------------------------------------------------------------------


def map_answers(scores: Tensor, verbalizer: Mapping[str, Sequence[str]]) -> Tensor:
    """log p(y | x) of each label, (N, L), from log p(z | x) of the verbalizer's words in their order, (N, A).

    A label's share is the mean over its words, so that a label with more words does not win by their number.
    """
    sizes = [len(words) for words in verbalizer.values()]
    if scores.shape[-1] != sum(sizes):
        raise ValueError(f"there are scores for {scores.shape[-1]} answers, but the verbalizer has {sum(sizes)}")
    parts = scores.split(sizes, dim=-1)
    means = [part.logsumexp(-1) - torch.tensor(float(part.shape[-1])).log() for part in parts]
    return torch.stack(means, dim=-1).log_softmax(-1)


# ---- the three together ---------------------------------------------------------------------------


def label_probabilities(
    sentences: Sequence[str], template: str | Sequence[str] = TEMPLATES, verbalizer: Mapping = VERBALIZER
) -> Tensor:
    """p(y | x) of each label of the verbalizer for each sentence, (N, L). Errors as in `search_answers`."""
    labels = read_verbalizer(verbalizer)
    answers = [word for words in labels.values() for word in words]
    return map_answers(search_answers(sentences, template, answers), labels).exp()


def classify(
    sentences: Sequence[str], template: str | Sequence[str] = TEMPLATES, verbalizer: Mapping = VERBALIZER
) -> list[str]:
    """The likeliest label of each sentence.

    `template`: one or several, with `[X]` for the sentence and `[Z]` for the answer. `verbalizer`: {label: words}, or
    {word: label}. By default the best of lesson 01, which says "positive" or "negative". ValueError says what is
    wrong with a sentence, a template or the verbalizer; ModuleNotFoundError how to install the language model.
    """
    labels = list(read_verbalizer(verbalizer))
    return [labels[i] for i in label_probabilities(sentences, template, verbalizer).argmax(-1)]

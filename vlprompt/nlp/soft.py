"""A soft prompt: a few learned vectors where a template has words."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.nlp.minilm import SCALE, load_minilm
from vlprompt.nlp.read import read_sentences, read_verbalizer
from vlprompt.nlp.steps import VERBALIZER, map_answers


class SoftPrompt(nn.Module):
    """M learned vectors in the place of a template's words: `v1 … vM answer.` Nothing else learns.

    Lester and others, The Power of Scale for Parameter-Efficient Prompt Tuning (2021); on the side of the answers, as
    CoOp will have it. `init`: words whose vectors it starts from; else small random ones from `seed`.
    """

    def __init__(self, verbalizer: Mapping = VERBALIZER, length: int = 4, init: str | None = None, seed: int = 0):
        super().__init__()
        if init is None and length < 1:
            raise ValueError(f"length={length}; a soft prompt has at least one vector")
        self.verbalizer = read_verbalizer(verbalizer)
        if init is None:
            draw = torch.Generator().manual_seed(seed)
            table = load_minilm().bert.embeddings.word_embeddings.weight  # (V, E)
            start = torch.randn(length, table.shape[1], generator=draw) * table.std()
        else:
            start = load_minilm().token_vectors(init)
        self.context = nn.Parameter(start)  # (M, E)

    def forward(self, features: Tensor) -> Tensor:
        """log p(y | x), (N, L), of sentences given as MiniLM's vectors (N, E)."""
        answers = [f"{word}." for words in self.verbalizer.values() for word in words]
        z = load_minilm()(answers, context=self.context)  # (A, E)
        return map_answers((SCALE * features @ z.T).log_softmax(-1), self.verbalizer)

    @torch.no_grad()
    def classify(self, sentences: Sequence[str]) -> list[str]:
        """The likeliest label of each sentence."""
        labels = list(self.verbalizer)
        return [labels[i] for i in self(load_minilm().encode(read_sentences(sentences))).argmax(-1)]


def train_soft_prompt(
    sentences: Sequence[str],
    labels: Sequence[str],
    verbalizer: Mapping = VERBALIZER,
    *,
    length: int = 4,
    init: str | None = None,
    steps: int = 5,
    learning_rate: float = 0.003,
    seed: int = 0,
) -> SoftPrompt:
    """A soft prompt trained on labelled sentences, by Adam on all of them in each step.

    The sentences are encoded once, since no prompt enters them. Few steps are best: lesson 01 shows what more of them
    do. ValueError for labels that the verbalizer does not have, or another number of labels than of sentences.
    """
    texts = read_sentences(sentences)
    known = list(read_verbalizer(verbalizer))
    if len(labels) != len(texts) or not texts:
        raise ValueError(f"{len(texts)} sentences and {len(labels)} labels; give one label for each, and at least one")
    if unknown := [label for label in labels if label not in known]:
        raise ValueError(f"the label {unknown[0]!r} is none of the verbalizer's, {', '.join(map(repr, known))}")
    prompt = SoftPrompt(verbalizer, length, init, seed)
    features = load_minilm().encode(texts)  # (N, E)
    target = torch.tensor([known.index(label) for label in labels])
    optimizer = torch.optim.Adam([prompt.context], lr=learning_rate)
    for _ in range(steps):
        loss = F.nll_loss(prompt(features), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return prompt

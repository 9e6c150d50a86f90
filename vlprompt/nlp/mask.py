"""A true blank, filled by a masked language model such as BERT; it needs a hub, or a folder with the model."""

import logging
from collections.abc import Sequence

import torch

MASK = "[MASK]"


@torch.no_grad()
def fill_mask(
    texts: Sequence[str], words: Sequence[str] | None = None, *, top: int = 5, model: str = "bert-base-uncased"
) -> list[list[tuple[str, float]]]:
    """The likeliest words for the `[MASK]` of each text, with their probabilities, the likeliest first.

    `words`: search among these alone (their probabilities are not made to add up to 1); else among all. `model`: a
    name on the hub, or a folder. ValueError for a text without one `[MASK]`, or a word that is no single token of the
    model; ConnectionError where no hub is within reach.
    """
    if isinstance(texts, str):
        raise ValueError(f"texts is one text, {texts[:40]!r}; give a list")
    for text in texts:
        if text.count(MASK) != 1:
            raise ValueError(f"a text holds {MASK} once; {text!r} holds it {text.count(MASK)} times")
    tokenizer, network = load_masked(model)
    ids = None
    if words is not None:
        ids = [tokenizer.encode(word, add_special_tokens=False) for word in words]
        if wrong := [w for w, its in zip(words, ids, strict=True) if len(its) != 1 or its[0] == tokenizer.unk_token_id]:
            raise ValueError(f"{wrong[0]!r} is not one token of {model}, and one {MASK} holds one token: leave it out")
    answers = []
    for text in texts:
        batch = tokenizer(text.replace(MASK, tokenizer.mask_token), return_tensors="pt")
        place = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero().item()
        shares = network(**batch).logits[0, place].softmax(-1)  # (V,)
        chosen = [row[0] for row in ids] if ids is not None else shares.topk(top).indices.tolist()
        pairs = [(tokenizer.decode([i]).strip(), shares[i].item()) for i in chosen]
        answers.append(sorted(pairs, key=lambda pair: -pair[1])[:top])
    return answers


def load_masked(name: str):
    """Tokenizer and network of a masked language model, from the hub, its cache, or a folder; safetensors only."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer
    from transformers.utils import logging as reports

    bars = reports.is_progress_bar_enabled()
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)  # its retries and hints are said better by our own error
    reports.disable_progress_bar()
    try:
        return AutoTokenizer.from_pretrained(name), AutoModelForMaskedLM.from_pretrained(name, use_safetensors=True)
    except OSError as error:
        raise ConnectionError(
            f"no hub is within reach, and {name} is not in its cache; give the folder of a masked language model, "
            f"fill_mask(..., model='my-folder'), or use vlprompt.nlp.classify, which needs no network"
        ) from error
    finally:
        logging.disable(level)
        if bars:
            reports.enable_progress_bar()

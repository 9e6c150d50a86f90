"""A true blank, filled by a masked language model such as BERT; it needs a hub, or a folder with the model."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

MASK = "[MASK]"


@torch.no_grad()
def fill_mask(
    texts: Sequence[str], words: Sequence[str] | None = None, *, top: int = 5, model: str = "bert-base-uncased"
) -> list[list[tuple[str, float]]]:
    """The likeliest words for the `[MASK]` of each text, with their probabilities, the likeliest first.

    `words`: search among these alone (their probabilities are not made to add up to 1); else among all. `model`: a
    name on the hub, or a folder. ValueError for a text without one `[MASK]`, or a word that is no single token of the
    model, or a folder that holds none; ConnectionError where no hub is within reach.
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
    """Tokenizer and network of a masked language model: from a folder, the hub's cache, or the hub."""
    from huggingface_hub import model_info

    with quiet():
        try:
            return read_masked(name, local_files_only=True)
        except (OSError, ValueError) as error:
            if Path(name).is_dir():
                raise ValueError(f"the folder {name} holds no masked language model: {first_line(error)}") from error
        try:
            model_info(name, timeout=5)  # fails at once where the next line would try again and again
            return read_masked(name)
        except Exception as error:  # the hub's client raises a dozen types of its own
            raise ConnectionError(
                f"no hub within reach has {name} ({type(error).__name__}), nor has its cache; give the folder of a "
                f"masked language model, fill_mask(..., model='my-folder'), or use vlprompt.nlp.classify, which needs "
                f"no network"
            ) from error


def read_masked(name: str, **options):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    return tokenizer, AutoModelForMaskedLM.from_pretrained(name, use_safetensors=True, **options).eval()


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no hints of the libraries: what went wrong is said by our own errors."""
    from transformers.utils import logging as reports

    bars, level = reports.is_progress_bar_enabled(), logging.root.manager.disable
    reports.disable_progress_bar()
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(level)
        if bars:
            reports.enable_progress_bar()

"""What a caller gives to the three steps, read and checked: a slip gets one sentence before any work starts."""

from collections.abc import Mapping, Sequence

SENTENCE_SLOTS, ANSWER_SLOTS = ("[X]", "{sentence}"), ("[Z]", "[MASK]")  # each with the other name it goes by


def read_template(template: str) -> str:
    """A template with its slots written `[X]` and `[Z]`; ValueError unless it holds each of them once."""
    if not isinstance(template, str):
        raise ValueError(f"a template is a text, not a {type(template).__name__}: {template!r}")
    text = template
    for slot, other in (SENTENCE_SLOTS, ANSWER_SLOTS):
        text = text.replace(other, slot)
        if text.count(slot) != 1:
            what = "the sentence" if slot == "[X]" else "the answer"
            raise ValueError(
                f"a template holds {slot} once, for {what}, such as '[X] It was [Z].'; "
                f"{template!r} holds it {text.count(slot)} times"
            )
    return text


def read_sentences(sentences: Sequence[str]) -> list[str]:
    """The sentences as a list; ValueError for one that is no text or empty."""
    if isinstance(sentences, str):
        raise ValueError(f"sentences is one text, {sentences[:40]!r}; give a list of sentences")
    texts = list(sentences)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"sentence {i} is no text but a {type(text).__name__}: {text!r}")
        if not text.strip():
            raise ValueError(f"sentence {i} is empty; there is nothing to classify")
    return texts


def read_templates(template: str | Sequence[str]) -> list[str]:
    """One template or several, as a list; ValueError for none, or one without its slots."""
    templates = list(template) if isinstance(template, list | tuple) else [template]
    if not templates:
        raise ValueError("there is no template; give at least one, such as '[X] It was [Z].'")
    return [read_template(each) for each in templates]


def read_answers(answers: Sequence[str]) -> tuple[str, ...]:
    """The words that may fill the blank; ValueError for none, or one that is no text or empty."""
    words = (answers,) if isinstance(answers, str) else tuple(answers)
    if not words:
        raise ValueError("there are no answers to search among; give at least one word")
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise ValueError(f"an answer is a word or a short phrase; {word!r} is none")
    return words


def read_verbalizer(verbalizer: Mapping) -> dict[str, tuple[str, ...]]:
    """A verbalizer as {label: words}; {word: label} is turned around.

    ValueError for fewer than two labels, a label without words, or a word that stands for two labels.
    """
    if not isinstance(verbalizer, Mapping) or not verbalizer:
        raise ValueError(f"a verbalizer is a dict of labels and their words, and not empty; this is {verbalizer!r}")
    if all(isinstance(value, str) for value in verbalizer.values()):
        labels = dict.fromkeys(verbalizer.values())
        verbalizer = {label: [word for word, its in verbalizer.items() if its == label] for label in labels}
    if len(verbalizer) < 2:
        raise ValueError(f"a verbalizer needs two labels or more to choose from; this one has {list(verbalizer)}")
    read, seen = {}, {}
    for label, words in verbalizer.items():
        if isinstance(words, str) or not isinstance(words, Sequence) or not words:
            raise ValueError(f"the label {label!r} needs a list of words; it has {words!r}")
        read[label] = read_answers(words)
        for word in read[label]:
            if seen.setdefault(word, label) != label:
                raise ValueError(f"the word {word!r} stands for two labels, {seen[word]!r} and {label!r}; take it out")
    return read

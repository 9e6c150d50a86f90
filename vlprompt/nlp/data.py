"""The sentences of lesson 01."""

import tomllib

from vlprompt.paths import data_file


def sentiment(part: str) -> tuple[list[str], list[str]]:
    """The sentences of lesson 01 and their labels: part "development", or "held_out", which no choice may look at."""
    parts = tomllib.loads(data_file("sentiment.toml").read_text(encoding="utf-8"))
    if part not in parts:
        raise ValueError(f"there is no part {part!r} of the sentences; they are {', '.join(parts)}")
    pairs = [(text, label) for label, texts in parts[part].items() for text in texts]
    return [text for text, _ in pairs], [label for _, label in pairs]

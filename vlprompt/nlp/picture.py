"""The drawing of lesson 01: the three steps of prompting in language, in the colours of the two towers."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from vlprompt.drawing import HATCH, arrow, box, draw_legend, label
from vlprompt.nlp.read import read_verbalizer
from vlprompt.plots import COLOURS

LAYERS = 6  # of MiniLM


def three_steps(sentence: str, words: Sequence[str], verbalizer: Mapping, *, soft: int = 0) -> tuple[Figure, dict]:
    """Draw how a sentence gets its label: prompt addition, answer search, answer mapping; and return what was drawn.

    `words`: the template's, before the answer. `soft`: how many learned vectors stand in their place, 0 for none.
    """
    labels = read_verbalizer(verbalizer)
    answers = [word for its in labels.values() for word in its]
    drawn = Figure(figsize=(9, 5.6), layout="constrained")
    axes = drawn.add_subplot(xlim=(0, 100), ylim=(0, 62))
    axes.axis("off")
    by = "vectors found by training" if soft else "words chosen by us"
    axes.set_title(f"Three steps from a sentence to a label: {by}", loc="left", fontsize=12)

    box(axes, 2, 9, 34, 5, "white", COLOURS["vision"])
    label(axes, 19, 11.5, sentence, size=8.5)
    draw_prompts(axes, ["v"] * soft or list(words), answers, learned=bool(soft))
    for x, colour, what in ((6, "vision", "one vector\nof the sentence"), (60, "text", "one vector\nfor each answer")):
        for i in range(LAYERS):
            box(axes, x, 18.6 + 2.4 * i, 32, 1.7, COLOURS["frozen"], COLOURS[colour])
        label(axes, x + 16, 18.4 + 1.2 * LAYERS, f"language model\n{LAYERS} layers", weight="bold", back=True)
        label(axes, 12 if x == 6 else 88, 36.5, what, size=8)
    arrow(axes, (22, 14.3), (22, 18.4))
    arrow(axes, (76, 16.2), (76, 18.4))
    label(axes, 49, 25.8, "the same\nmodel twice", size=8)
    arrow(axes, (22, 33), (40, 41), bend=-0.15)
    arrow(axes, (76, 33), (58, 41), bend=0.15)
    box(axes, 40, 39, 18, 5, "white", "#333333")
    label(axes, 49, 41.5, "20 × cosine", weight="bold")
    arrow(axes, (49, 44.2), (49, 47))
    draw_mapping(axes, labels)
    steps = {"1  prompt addition": (80, 0.9), "2  answer search": (24, 42.6), "3  answer mapping": (12, 56)}
    for text, (x, y) in steps.items():
        label(axes, x, y, text, weight="bold", size=10)
    draw_legend(axes, bool(soft))
    return drawn, {"prompts": len(answers), "labels": list(labels), "learned vectors": soft}


def draw_prompts(axes, words: Sequence[str], answers: Sequence[str], learned: bool) -> None:
    """The prompts, a row for each answer: the words of the template, or learned vectors, and the answer."""
    for row, answer in enumerate(answers):
        x, y = 62, 13 - 3.1 * row
        for word in words:
            width = 2.6 if learned else 1.6 + 1.15 * len(word)
            edge = COLOURS["learned"] if learned else COLOURS["text"]
            box(axes, x, y, width, 2.5, "white", edge, hatch=HATCH if learned else "")
            label(axes, x + width / 2, y + 1.2, word, size=7.5, back=learned)
            x += width + 0.35
        width = 2.2 + 1.15 * len(answer)
        box(axes, x, y, width, 2.5, COLOURS["text"], COLOURS["text"])
        label(axes, x + width / 2, y + 1.2, f"{answer}.", size=7.5)


def draw_mapping(axes, labels: Mapping[str, Sequence[str]]) -> None:
    """The answers with their probabilities, and the label that each stands for."""
    x = 26.0
    for name, words in labels.items():
        first = x
        for word in words:
            width = 2.2 + 1.15 * len(word)
            box(axes, x, 47.2, width, 2.9, "white", COLOURS["text"])
            label(axes, x + width / 2, 48.6, word, size=8)
            x += width + 0.6
        middle = (first + x - 0.6) / 2
        box(axes, middle - 7, 54.4, 14, 3.6, "white", "#333333")
        label(axes, middle, 56.2, name, weight="bold", size=9)
        arrow(axes, (middle, 50.3), (middle, 54.2))
        x += 3
    label(axes, x + 1, 48.6, "softmax: p(answer)", size=8, align="left")
    label(axes, x + 1, 56.2, "mean: p(label)", size=8, align="left")

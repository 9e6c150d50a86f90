"""Prompting in language: a template, an answer search and an answer map, with a small language model that is offline.

import vlprompt.nlp
vlprompt.nlp.classify(["I received the offer from ETH."])  # ["positive"]
"""

from vlprompt.nlp.data import sentiment
from vlprompt.nlp.mask import fill_mask
from vlprompt.nlp.minilm import SCALE, MiniLM, load_minilm
from vlprompt.nlp.soft import SoftPrompt, train_soft_prompt
from vlprompt.nlp.steps import (
    TEMPLATES,
    VERBALIZER,
    add_prompt,
    classify,
    halves,
    label_probabilities,
    map_answers,
    search_answers,
)

__all__ = [
    "SCALE",
    "TEMPLATES",
    "VERBALIZER",
    "MiniLM",
    "SoftPrompt",
    "add_prompt",
    "classify",
    "fill_mask",
    "halves",
    "label_probabilities",
    "load_minilm",
    "map_answers",
    "search_answers",
    "sentiment",
    "train_soft_prompt",
]

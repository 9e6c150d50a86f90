"""The checks of the exercises: each takes the student's function, and prints one line or raises AssertionError.

What is wrong is compared with the wrong answers that people really write, and the message holds the hint that fits.
A check never looks at the notebook's own solution.
One module a lesson.
"""

from vlprompt.checks.cocoop import cost_of_a_prompt_each, image_logits, shift
from vlprompt.checks.common import call, compare, numbers, passed, same
from vlprompt.checks.coop import in_the_middle, numbers_of_coop, put_context
from vlprompt.checks.language import labels_of_mine, map_words, pool, scaled
from vlprompt.checks.maple import couple, numbers_of_maple, replace_prompts
from vlprompt.checks.start import best_names, count_numbers, what_it_saw
from vlprompt.checks.zero_shot import ensemble, knows, read_end, shifted, template_of_mine

__all__ = [
    "best_names",
    "call",
    "compare",
    "cost_of_a_prompt_each",
    "count_numbers",
    "couple",
    "ensemble",
    "image_logits",
    "in_the_middle",
    "knows",
    "labels_of_mine",
    "map_words",
    "numbers",
    "numbers_of_coop",
    "numbers_of_maple",
    "passed",
    "pool",
    "put_context",
    "read_end",
    "replace_prompts",
    "same",
    "scaled",
    "shift",
    "shifted",
    "template_of_mine",
    "what_it_saw",
]

"""The checks of the exercises: each takes the student's function, and prints one line or raises AssertionError.

What is wrong is compared with the wrong answers that people really write, and the message holds the hint that fits.
A check never looks at the notebook's own solution.
One module a lesson.
"""

from vlprompt.checks.cocoop import cost_of_a_prompt_each, image_logits, shift
from vlprompt.checks.common import call, compare, numbers, passed, same
from vlprompt.checks.coop import in_the_middle, numbers_of_coop, put_context
from vlprompt.checks.language import labels_of_mine, map_words, pool, scaled
from vlprompt.checks.maple import numbers_of_maple, replace_prompts, vision_prompts
from vlprompt.checks.pixels import put_patch, task_of_mine, to_levels, touched
from vlprompt.checks.start import best_names, count_numbers, what_it_saw
from vlprompt.checks.vpt import class_row, numbers_of_vpt, plan_of_mine, unchanged
from vlprompt.checks.zero_shot import ensemble, knows, read_end, shifted, template_of_mine

__all__ = [
    "best_names",
    "call",
    "class_row",
    "compare",
    "cost_of_a_prompt_each",
    "count_numbers",
    "ensemble",
    "image_logits",
    "in_the_middle",
    "knows",
    "labels_of_mine",
    "map_words",
    "numbers",
    "numbers_of_coop",
    "numbers_of_maple",
    "numbers_of_vpt",
    "passed",
    "plan_of_mine",
    "pool",
    "put_context",
    "put_patch",
    "read_end",
    "replace_prompts",
    "same",
    "scaled",
    "shift",
    "shifted",
    "task_of_mine",
    "template_of_mine",
    "to_levels",
    "touched",
    "unchanged",
    "vision_prompts",
    "what_it_saw",
]

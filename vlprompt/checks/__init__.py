"""The checks of the exercises: each takes the student's function, and prints one line or raises AssertionError.

What is wrong is compared with the wrong answers that people really write, and the message holds the hint that fits.
A check never looks at the notebook's own solution.
One module a lesson.
"""

from vlprompt.checks.cocoop import cost_of_a_prompt_each, image_logits, shift
from vlprompt.checks.common import call, compare, numbers, passed, same
from vlprompt.checks.coop import in_the_middle, numbers_of_coop, put_context
from vlprompt.checks.depth_length import choose_fairly, luck, surface_of_mine, what_grows
from vlprompt.checks.language import labels_of_mine, map_words, pool, scaled
from vlprompt.checks.maple import numbers_of_maple, replace_prompts, vision_prompts
from vlprompt.checks.own_task import by_group, folder_of_mine, method_of_mine, report_of_mine, what_may_be_said
from vlprompt.checks.pixels import put_patch, task_of_mine, to_levels, touched
from vlprompt.checks.start import best_names, count_numbers, what_it_saw
from vlprompt.checks.vpt import class_row, numbers_of_vpt, plan_of_mine, unchanged
from vlprompt.checks.zero_shot import ensemble, knows, read_end, shifted, template_of_mine

__all__ = [
    "best_names",
    "by_group",
    "call",
    "choose_fairly",
    "class_row",
    "compare",
    "cost_of_a_prompt_each",
    "count_numbers",
    "ensemble",
    "folder_of_mine",
    "image_logits",
    "in_the_middle",
    "knows",
    "labels_of_mine",
    "luck",
    "map_words",
    "method_of_mine",
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
    "report_of_mine",
    "same",
    "scaled",
    "shift",
    "shifted",
    "surface_of_mine",
    "task_of_mine",
    "template_of_mine",
    "to_levels",
    "touched",
    "unchanged",
    "vision_prompts",
    "what_grows",
    "what_it_saw",
    "what_may_be_said",
]

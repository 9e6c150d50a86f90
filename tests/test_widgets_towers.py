"""Where the prompts go, and what they cost: the drawing follows its controls, and the count is the method's own."""

import math

import pytest
import torch

from vlprompt import flops
from vlprompt.experiments import depth_length
from vlprompt.methods import METHODS, count
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.widgets import costs, where_prompts_go
from vlprompt.widgets.controls import BRANCHES


@pytest.fixture(scope="module")
def clip():
    return open_backbone("tiny", None, None)


# What it costs


@pytest.mark.parametrize("method", BRANCHES)
def test_the_count_is_what_the_method_learns(clip, method):
    for j in depth_length.DEPTHS:
        for m in depth_length.LENGTHS:
            point = Point(method, "where", depth=j, length=m)
            terms = costs.terms(method, j, m, clip)
            assert sum(t.count for t in terms) == count(costs.made(point, clip, ["cat", "dog"])), (j, m)
            for term in terms:  # the numbers as they are written are what is counted
                assert math.prod(eval(part) for part in term.numbers.split(" × ")) == term.count
            assert costs.formula(terms).endswith(f"= {sum(t.count for t in terms):,}")


@pytest.mark.parametrize(("method", "j", "m"), [("maple", 9, 2), ("vision-only", 12, 8), ("independent-vl", 3, 4)])
def test_a_step_costs_what_is_counted_when_it_is_run(clip, method, j, m):
    point, names = Point(method, "where", depth=j, length=m), tuple(open_task("where").base().classnames)
    learner, images = costs.made(point, clip, names), torch.zeros(point.plan.batch_size, 3, 48, 48)
    _, spent = flops.spent(lambda: learner(images).logsumexp(1).sum().backward())
    needed = sum(costs.step_flops(point, clip, names))
    assert needed <= spent <= 1.1 * needed


def test_features_that_no_prompt_changes_cost_nothing(clip):
    text, image = costs.step_flops(Point("language-only", "where", depth=3, length=4), clip, ("cat", "dog"))
    assert image == 0 < text


# Where the prompts go


def test_the_drawing_follows_branch_depth_and_length():
    panel = where_prompts_go()
    panel.set(method="maple", depth=3, length=2)
    assert "Text tower: 2 tokens in each of layers 1 to 3" in panel.view.words
    assert "Image tower: 2 tokens in each of layers 1 to 3" in panel.view.words
    assert "by a linear map of each layer's own" in panel.view.words
    assert "= 3 × 2 × 96 + 3 × (96 + 1) × 160 = 47,136." in panel.view.words
    panel.set(method="vision-only", depth=1, length=8)
    assert panel.view.words.startswith("Image tower: 8 tokens in layer 1, beside the patches. All else is frozen.")
    panel.set(method="independent-vl", depth=12, length=16)
    drawn = {text.get_text() for text in panel.view.figure.axes[0].texts}
    assert {"16 tokens\na layer", "…16"} <= drawn
    assert "coupling" not in drawn
    panel.controls["method"].value = "maple"
    assert "coupling" in {text.get_text() for text in panel.view.figure.axes[0].texts}


@pytest.mark.parametrize("method", BRANCHES)
def test_all_that_can_be_chosen_can_be_drawn(method):
    panel = where_prompts_go()
    for j, m in ((1, 1), (12, 16), (9, 4)):
        panel.set(method=method, depth=j, length=m)
        assert not panel.error


def test_the_methods_of_the_branches_are_methods():
    assert set(BRANCHES) == set(depth_length.OWN) <= set(METHODS)

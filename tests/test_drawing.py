"""The drawing of the two towers says what a method adds; the sheet of artists says who may see what."""

import pytest
import torch
from clips import clip
from matplotlib.colors import same_color

from vlprompt import drawing
from vlprompt.engine import Prompts
from vlprompt.methods import CoOp, IndependentVL, MaPLe, Padding
from vlprompt.plots import COLOURS

NAMES = ["cat", "dog"]


def orange(figure):
    """How many boxes are drawn as learned, without the one of the legend."""
    boxes = figure.axes[0].patches
    return sum(same_color(box.get_edgecolor(), COLOURS["learned"]) and bool(box.get_hatch()) for box in boxes) - 1


def test_zero_shot_learns_nothing():
    figure, added = drawing.towers(title="CLIP")
    assert not any(added.values())
    assert orange(figure) == 0
    assert any("nothing here" in text.get_text() for text in figure.axes[0].texts)


def test_a_method_is_drawn_from_its_own_prompts():
    small = {"layers": 2}
    figure, added = drawing.towers(CoOp(clip(), NAMES).prompts(), title="CoOp", **small)
    assert (added["text layers"], added["vision layers"]) == ([1], [])
    assert orange(figure) == 4  # in the sentence
    method = IndependentVL(clip(), NAMES, text_depth=1, vision_depth=2)
    figure, added = drawing.towers(method.prompts(), title="V-L", **small)
    assert (added["text layers"], added["vision layers"]) == ([1], [1, 2])
    assert orange(figure) == 2 + 2
    figure, added = drawing.towers(MaPLe(clip(), NAMES, depth=2).prompts(), title="MaPLe", tie="coupling", **small)
    assert added["tie"] == "coupling"
    assert orange(figure) == 2 + 2 + 2  # in the sentence, and a pair in each layer
    figure, added = drawing.towers(Padding(clip(), NAMES, width=3).prompts(), title="padding", **small)
    assert added["pixels"]
    assert orange(figure) == 4  # the sides of the frame


def test_the_meta_net_and_a_head_are_learned_boxes():
    prompts = Prompts(text=(torch.zeros(4, 8),))
    assert orange(drawing.towers(prompts, title="CoCoOp", tie="meta-net")[0]) == 5
    assert orange(drawing.towers(title="linear", head=True)[0]) == 1


def test_a_drawing_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="tie='rope'"):
        drawing.towers(title="?", tie="rope")
    with pytest.raises(ValueError, match="prompts in 13 layers, but the towers have 12"):
        drawing.towers(Prompts(vision=(torch.zeros(1, 8),) * 13), title="?")


def test_who_drew_what_gives_the_side_of_every_drawing():
    figure, sides = drawing.who_drew_what("mammals", ["fox", "cat"])
    assert sides["fox", "fluent-emoji"] == "E"
    assert sides["fox", "openmoji"] == "D"
    assert ("fox", "emojione-v1") not in sides  # nobody drew it
    assert {name for name, _ in sides} == {"fox", "cat"}
    letters = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(letters) == sorted(sides.values())
    assert sides.items() <= drawing.sides_of("mammals").items()
    with pytest.raises(ValueError, match="'dragon' is no class of mammals"):
        drawing.who_drew_what("mammals", ["dragon"])

"""The comparison shows what vlprompt.evaluate and vlprompt.inspect compute, and marks right and wrong in words."""

import re
from types import SimpleNamespace

import panels
import pytest
import torch
from colours import NAMES, pictures_and_labels, small_clip, small_task, writes

from vlprompt import evaluate, inspect
from vlprompt.methods import CoOp, FullFineTuning, MaPLe, Padding, RandomPatch, ZeroShot
from vlprompt.widgets import compare_methods, train_few
from vlprompt.widgets.comparison import Comparison, recipe

NEXT = "Next picture that they disagree on"


def methods():
    made = {"zero-shot": ZeroShot, "CoOp": CoOp, "MaPLe": MaPLe, "frame": Padding}
    options = {"MaPLe": {"depth": 2}}
    return {name: make(small_clip(), NAMES, **options.get(name, {})) for name, make in made.items()}


@pytest.fixture(scope="module")
def compared():
    """Methods, which no test changes."""
    return methods()


def place_of(shown):
    """Where the shown picture stands among all."""
    _, labels = pictures_and_labels()
    mine = (labels == NAMES.index(shown.controls["name"].value)).nonzero().flatten()
    return int(mine[shown.controls["number"].value - 1])


def cells(html):
    """The rows of a table."""
    return [re.findall(r">([^<>]+)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]


@pytest.mark.parametrize(("name", "number"), [("cat", 1), ("hen", 50), ("fox", 108)])
def test_probabilities_are_those_of_evaluate(compared, name, number):
    shown = compare_methods(compared, small_task())
    shown.set(name=name, number=number)
    images, labels = pictures_and_labels()
    place = place_of(shown)
    assert labels[place] == NAMES.index(name)
    head, *rows = cells(shown.view.below)
    assert head == ["class", *compared]
    assert {row[0] for row in rows} == set(NAMES)
    assert rows[0][0] == name
    for column, method in enumerate(compared.values(), start=1):
        believed = evaluate.probabilities(method, images[place : place + 1])[0]
        for row in rows:
            assert float(row[column]) == pytest.approx(100 * float(believed[NAMES.index(row[0])]), abs=0.06)


def test_right_and_wrong_are_said_in_words(compared):
    shown = compare_methods(compared, small_task())
    images, _ = pictures_and_labels()
    for number in range(1, 108, 21):
        shown.set(name="dog", number=number)
        place = place_of(shown)
        answers = {n: evaluate.predict(m, images[place : place + 1])[0][0][0] for n, m in compared.items()}
        right = shown.view.words.partition(" Wrong")[0].partition("Right: ")[2]
        for name, answer in answers.items():
            assert (name in right) == (answer == "dog")
            assert (f"{name} says {answer}" in shown.view.words) == (answer != "dog")
        said = {text.get_text() for text in shown.view.figure.axes[0].texts}
        assert f"dog: {list(answers.values()).count('dog')} of 4 methods are right" in said
        assert ("✔ right" in said) == ("dog" in answers.values())
        assert ("✘ wrong" in said) == (set(answers.values()) != {"dog"})


def test_the_attention_is_that_of_inspect(compared):
    shown = compare_methods(compared, small_task())
    images, _ = pictures_and_labels()
    for layer in (1, 2):
        shown.controls["layer"].value = layer
        place = place_of(shown)
        for name, method in compared.items():
            attention = inspect.class_attention(small_clip(), images[place : place + 1], method.prompts())
            share = 100 * float(attention[layer - 1, 0, :, 1:10].sum(-1).mean())
            assert f"{name} {share:.0f} %" in shown.view.words.partition("to the patches")[2]


def test_methods_without_prompts_in_the_image_look_alike_and_others_do_not(compared):
    looks = Comparison(compared, small_task()).attention(3)
    assert torch.equal(looks["CoOp"], looks["zero-shot"])
    assert looks["MaPLe"].shape == (2, 1 + 9 + 2)
    assert not torch.allclose(looks["frame"], looks["zero-shot"], atol=1e-4)


def test_a_tower_of_its_own_is_looked_into():
    tuned = FullFineTuning(small_clip(), NAMES)
    with torch.no_grad():
        for parameter in tuned.visual.transformer.parameters():
            parameter.mul_(1.3)
    looks = Comparison({"plain": ZeroShot(small_clip(), NAMES), "tuned": tuned}, small_task()).attention(0)
    assert not torch.allclose(looks["plain"], looks["tuned"], atol=1e-4)


def test_a_tower_whose_attention_is_not_known_is_said(compared, monkeypatch):
    monkeypatch.setattr("vlprompt.engine.takes_vision_tokens", lambda _: False)
    monkeypatch.setattr("vlprompt.widgets.comparison.takes_vision_tokens", lambda _: False)
    shown = compare_methods({"zero-shot": compared["zero-shot"]}, small_task())
    assert not shown.error
    assert "is not known" in shown.view.words
    assert len(shown.view.figure.axes[0].images) == 1


def test_the_button_goes_through_all_pictures_that_they_disagree_on(compared):
    shown = compare_methods(compared, small_task())
    images, labels = pictures_and_labels()
    right = torch.stack([evaluate.probabilities(m, images).argmax(1) == labels for m in compared.values()])
    wanted = (right.any(0) & ~right.all(0)).nonzero().flatten().tolist()
    assert len(wanted) > 2
    seen, pictures = [], writes(shown)
    for _ in range(4):
        panels.press(shown, NEXT)
        seen.append(place_of(shown))
    first = [place for place in wanted if place > 0][:4]
    assert seen[: len(first)] == first
    assert len(pictures) == 4
    state = Comparison(compared, small_task())
    assert state.disagreement(wanted[-1]) == wanted[0]


def test_the_button_is_off_where_they_all_agree(compared):
    twice = {"one": compared["zero-shot"], "two": compared["zero-shot"]}
    assert panels.buttons(compare_methods(twice, small_task()))[NEXT].disabled
    assert not panels.buttons(compare_methods(compared, small_task()))[NEXT].disabled


def test_what_cannot_be_compared_is_refused(compared):
    with pytest.raises(ValueError, match=r"no methods to compare.*train_few"):
        compare_methods({}, small_task())
    with pytest.raises(ValueError, match="9 methods do not fit"):
        compare_methods({str(i): compared["CoOp"] for i in range(9)}, small_task())
    with pytest.raises(ValueError, match=r"CoOp knows 5 classes.*colours has 3.*with_classes"):
        compare_methods({"CoOp": compared["CoOp"]}, small_task().base())
    other = ZeroShot(small_clip("other"), NAMES)
    with pytest.raises(ValueError, match="different backbones"):
        compare_methods(compared | {"other": other}, small_task())


def test_two_panels_share_nothing_and_the_same_values_give_the_same_picture(compared):
    random = RandomPatch(small_clip(), NAMES, size=8)
    one, two = (compare_methods(compared | {"random": random}, small_task()) for _ in range(2))
    first, other, seen = one.picture.value, two.picture.value, writes(one)
    one.controls["number"].value = 5
    assert len(seen) == 1
    assert one.picture.value != first
    assert two.picture.value == other
    one.controls["number"].value = 1
    assert one.picture.value == first


def test_a_few_are_trained_in_one_call(monkeypatch):
    short = {"coop": {"lr": 0.1, "epochs": 2, "batch_size": 4, "warmup": 0}}
    shorter = lambda name, scale: recipe(name, scale, **short.get(name, {}))  # noqa: E731
    monkeypatch.setattr("vlprompt.widgets.comparison.recipe", shorter)
    few = [train_few(small_clip(), small_task(), ["zero-shot", "coop"], shots=2, seed=s) for s in (1, 1, 2)]
    assert list(few[0]) == ["zero-shot", "coop"]
    start = CoOp(small_clip(), NAMES, length=4, init="a photo of a", seed=1).context
    assert not torch.equal(few[0]["coop"].context, start)
    assert torch.equal(few[0]["coop"].context, few[1]["coop"].context)
    assert not torch.equal(few[0]["coop"].context, few[2]["coop"].context)
    assert few[0]["zero-shot"].options["templates"] == [small_task().template]
    assert not compare_methods(few[0], small_task()).error


def test_an_unknown_method_is_refused_before_any_training():
    with pytest.raises(ValueError, match="no method 'copo'"):
        train_few(small_clip(), SimpleNamespace(), ["coop", "copo"])

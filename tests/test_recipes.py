"""Learning rates against the rates that the authors' own schedules give."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlprompt.recipes import COOP_EPOCHS, PAPER, SCALES, SCHEDULES, TINY, Recipe, recipe


def by_epoch(made, steps_per_epoch=7):
    rates = [[made.learning_rate(e * steps_per_epoch + i, steps_per_epoch) for i in (0, 6)] for e in range(made.epochs)]
    assert all(first == last for first, last in rates), "one rate an epoch"
    return [first for first, _ in rates]


def test_maple_base_to_new_rates_are_the_printed_ones():
    printed = [1e-5, 0.0035, 0.0031658, 0.0022908, 0.0012092]
    assert by_epoch(recipe("maple")) == pytest.approx(printed, rel=2e-5)


def test_maple_cross_dataset_has_one_effective_epoch():
    assert by_epoch(recipe("maple-cross-dataset")) == [1e-5, 0.0026]


@pytest.mark.parametrize("epochs", [2, 5, 10, 50, 200])
def test_coop_schedule_follows_the_formula(epochs):
    rates = by_epoch(recipe("coop", epochs=epochs))
    assert rates[0] == 1e-5
    for e in range(1, epochs):
        want = 0.5 * 0.002 * (1 + math.cos(math.pi * (e - 1) / epochs))
        assert rates[e] == pytest.approx(want, rel=1e-12)


def test_visual_prompting_rates_by_step():
    made, per_epoch = recipe("padding"), 196  # CIFAR-100 at batch 256
    assert made.learning_rate(0, per_epoch) == pytest.approx(0.04)
    assert made.learning_rate(499, per_epoch) == pytest.approx(20)
    assert made.learning_rate(999, per_epoch) == made.learning_rate(1000, per_epoch) == 40
    middle = 1000 + (196_000 - 1000) // 2
    assert made.learning_rate(middle, per_epoch) == pytest.approx(20)
    assert 0 < made.learning_rate(195_999, per_epoch) < 1e-8


def test_vpt_rates_rise_from_zero_over_ten_epochs():
    made = recipe("vpt-linear-head")
    rates = by_epoch(made)
    assert rates[0] == 0
    assert rates[:11] == pytest.approx([made.lr * e / 10 for e in range(11)])
    assert rates[55] == pytest.approx(made.lr / 2)
    assert 0 < rates[99] < 0.001 * made.lr


@given(
    st.builds(
        Recipe,
        lr=st.floats(2e-5, 100),
        epochs=st.integers(1, 60),
        batch_size=st.just(4),
        schedule=st.sampled_from(SCHEDULES),
        warmup=st.integers(0, 40),
    ),
    st.integers(1, 9),
)
def test_rates_climb_to_lr_then_fall(made, steps):
    if made.is_all_warmup(steps):
        return
    rates = [made.learning_rate(s, steps) for s in range(made.epochs * steps)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(made.lr)
    assert all(rate >= 0 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_published_values():
    for name, made in PAPER.items():
        if made.schedule == "coop" and made.epochs:
            assert (made.optimizer, made.momentum, made.weight_decay) == ("sgd", 0.9, 5e-4), name
    values = {n: (m.lr, m.epochs, m.batch_size) for n, m in PAPER.items()}
    assert values["coop"] == (0.002, 200, 32)
    assert values["cocoop"] == (0.002, 10, 1)
    assert values["vpt-deep"] == values["language-only"] == (0.0025, 5, 4)
    assert values["maple"] == values["independent-vl"] == (0.0035, 5, 4)
    assert values["padding"] == values["random-patch"] == (40.0, 1000, 256)
    assert recipe("padding").weight_decay == 0
    assert COOP_EPOCHS[1] == 50
    assert COOP_EPOCHS[16] == recipe("coop").epochs


def test_both_scales_know_the_same_methods():
    assert PAPER.keys() == TINY.keys()
    assert {recipe(name, scale) for scale in SCALES for name in PAPER} >= {recipe("maple", "tiny")}


def test_changes_replace_single_fields():
    assert recipe("coop", epochs=50) == Recipe(0.002, 50, 32)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(ValueError, match="maple"):
        recipe("mapel")
    with pytest.raises(ValueError, match="paper"):
        recipe("maple", "large")


@pytest.mark.parametrize(
    "bad",
    [
        {"lr": -1.0},
        {"lr": math.nan},
        {"epochs": -1},
        {"epochs": 2.5},
        {"batch_size": 0},
        {"momentum": 1.0},
        {"weight_decay": math.inf},
        {"warmup": -1},
        {"schedule": "step"},
        {"optimizer": "adam"},
    ],
)
def test_bad_values_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        recipe("coop", **bad)

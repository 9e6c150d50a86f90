"""Accuracy, predictions and the papers' averages."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy import NAMES, Shaky, Toy, data

from vlprompt.evaluate import (
    accuracy,
    average,
    harmonic_mean,
    keep_features,
    predict,
    probabilities,
)

PER_CENT = st.floats(0, 100)


class CountsTexts(Toy):
    """Counts how often the classifier is made."""

    made = 0

    def classifier(self):
        self.made += 1
        return super().classifier()


@pytest.mark.parametrize("batch_size", [1, 5, 24, 100])
def test_accuracy_is_the_share_of_right_answers(batch_size):
    method, (images, labels) = CountsTexts(), data()
    right = (method(images).argmax(1) == labels).sum().item()
    method.made = 0
    assert accuracy(method, images, labels, batch_size=batch_size) == pytest.approx(100 * right / 24)
    assert method.made == 1, "what does not depend on the image is computed once"


def test_accuracy_reaches_both_ends():
    method, (images, _) = Toy(), data()
    answers = method(images).argmax(1)
    assert accuracy(method, images, answers) == 100
    assert accuracy(method, images, (answers + 1) % 3) == 0


def test_probabilities_are_the_softmax():
    method, (images, _) = Toy(), data()
    found = probabilities(method, images, batch_size=7)
    assert not found.requires_grad
    torch.testing.assert_close(found, method(images).softmax(1).detach())


def test_kept_features_stand_for_the_images():
    method, (images, labels) = Toy(), data()
    features = keep_features(method, images, batch_size=10)
    assert features.shape == (24, 8)
    assert not features.requires_grad
    method.calls = 0
    assert accuracy(method, features, labels) == accuracy(Toy(), images, labels)
    torch.testing.assert_close(probabilities(method, features), probabilities(Toy(), images))
    assert method.calls == 0
    assert keep_features(method, features) is features


def test_features_that_move_cannot_be_kept():
    images, labels = data()
    with pytest.raises(ValueError, match="Shaky change with its prompts"):
        keep_features(Shaky(), images)
    with pytest.raises(ValueError, match="Shaky, whose prompts enter"):
        accuracy(Shaky(), torch.randn(24, 8), labels)


def test_predict_names_the_likeliest_first():
    method, (images, _) = Toy(), data()
    answers = predict(method, images, top=2)
    for row, wanted in zip(answers, probabilities(method, images), strict=True):
        assert [p for _, p in row] == pytest.approx(sorted(wanted.tolist(), reverse=True)[:2])
        assert row[0][0] == NAMES[wanted.argmax()]
    [everything] = predict(method, images[:1], top=3)
    assert {name for name, _ in everything} == set(NAMES)
    assert sum(p for _, p in everything) == pytest.approx(1)


def test_predict_prepares_images_of_ones_own():
    method = Toy()
    prepared = torch.stack([torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), -2.0)])
    assert predict(method, [0.5, -2.0], top=3) == predict(method, prepared, top=3)


@given(PER_CENT, PER_CENT)
def test_harmonic_mean_lies_between(base, new):
    mean = harmonic_mean(base, new)
    assert mean == harmonic_mean(new, base)
    assert min(base, new) - 1e-9 <= mean <= max(base, new) + 1e-9
    assert mean <= (base + new) / 2 + 1e-9
    assert mean <= 2 * min(base, new) + 1e-9


def test_harmonic_means_of_the_papers():
    assert harmonic_mean(69.34, 74.22) == pytest.approx(71.70, abs=0.005)
    assert harmonic_mean(82.28, 75.14) == pytest.approx(78.55, abs=0.005)
    assert harmonic_mean(0, 0) == 0


@pytest.mark.parametrize("bad", [-1.0, 100.5, math.nan, math.inf])
def test_harmonic_mean_wants_per_cent(bad):
    with pytest.raises(ValueError, match="per cent from 0 to 100"):
        harmonic_mean(50, bad)


def test_average_is_taken_before_the_harmonic_mean():
    clip = [  # zero-shot CLIP on the eleven data sets, CoCoOp paper
        *[(72.43, 68.14), (96.84, 94.00), (91.17, 97.26), (63.37, 74.89), (72.08, 77.80)],
        *[(90.10, 91.22), (27.19, 36.29), (69.36, 75.35), (53.24, 59.90), (56.48, 64.05)],
        (70.53, 77.50),
    ]
    tasks = [{"base": b, "new": n, "harmonic_mean": harmonic_mean(b, n)} for b, n in clip]
    found = average(tasks)
    assert found == pytest.approx({"base": 69.34, "new": 74.22, "harmonic_mean": 71.70}, abs=0.005)
    assert sum(t["harmonic_mean"] for t in tasks) / 11 == pytest.approx(71.59, abs=0.005)


@given(st.lists(st.tuples(PER_CENT, PER_CENT), min_size=1, max_size=12), st.randoms())
def test_average_does_not_mind_the_order(pairs, random):
    tasks = [{"base": b, "new": n} for b, n in pairs]
    before = average(tasks)
    random.shuffle(tasks)
    assert average(tasks) == pytest.approx(before)
    assert before["harmonic_mean"] == harmonic_mean(before["base"], before["new"])


def test_average_of_other_protocols():
    assert average([{"all": 50.0}, {"all": 60.0}]) == {"all": 55.0}
    probe = [{"base": 50.0, "new": None, "harmonic_mean": None}] * 2
    assert average(probe) == {"base": 50.0, "new": None, "harmonic_mean": None}
    with pytest.raises(ValueError, match="no results"):
        average([])
    with pytest.raises(ValueError, match="one protocol at a time"):
        average([{"base": 1.0, "new": 2.0}, {"all": 3.0}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, y: (i.byte(), y), "torch.uint8, but a float32 tensor"),
        (lambda i, y: (i.numpy(), y), "ndarray, but a float32 tensor"),
        (lambda i, y: (i.double(), y), "torch.float64, but a float32 tensor"),
        (lambda i, y: (i[0], y), r"\(N, 3, H, W\)"),
        (lambda i, y: (i[:0], y[:0]), "N at least 1"),
        (lambda i, y: (i / 0, y), "not finite"),
        (lambda i, y: (i, y.int()), "torch.int32, but a tensor of int64"),
        (lambda i, y: (i, y.tolist()), "list, but a tensor of int64"),
        (lambda i, y: (i, y[:-1]), r"\(23,\), but there are 24 images"),
        (lambda i, y: (i, y[:, None]), r"\(24, 1\), but there are 24 images"),
        (lambda i, y: (i, y + 1), "from 1 to 3, but the method has 3 classes: give 0 to 2"),
        (lambda i, y: (i, y - 1), "from -1 to 1"),
    ],
)
def test_bad_input_is_refused_before_any_work(change, message):
    method = Toy()
    with pytest.raises(ValueError, match=message):
        accuracy(method, *change(*data()))
    assert method.calls == 0


def test_bad_sizes_are_refused():
    method, (images, labels) = Toy(), data()
    with pytest.raises(ValueError, match="batch_size is 0"):
        accuracy(method, images, labels, batch_size=0)
    with pytest.raises(ValueError, match="top is 4, but there are 3 classes"):
        predict(method, images, top=4)
    with pytest.raises(ValueError, match="at least one PIL image"):
        predict(method, [])

"""Protocols: who is trained on what, and tested on what."""

import pytest
import torch

import vlprompt
from vlprompt.methods import CoOp
from vlprompt.protocols import Run, base_to_new, cross_dataset, domain_generalisation, few_shot
from vlprompt.recipes import recipe
from vlprompt.tasks import load


@pytest.fixture(scope="module")
def clip():
    return vlprompt.load("tiny")


def run(clip, method, task, **more):
    plan = recipe(method, "tiny", **({} if method == "zero-shot" else {"epochs": 1, "warmup": 0}))
    return Run(method, clip, load(task), plan, shots=1, **more)


def test_base_to_new_tests_both_halves(clip):
    result = base_to_new(run(clip, "coop", "where"))
    base, new = result.accuracies["base"], result.accuracies["new"]
    assert result.accuracies["harmonic_mean"] == pytest.approx(2 * base * new / (base + new), abs=0.01)


def test_a_test_reads_the_accuracy_of_a_method_by_hand(clip):
    task = load("plants")
    result = few_shot(run(clip, "zero-shot", "plants"))
    images, labels = task.test()
    method = vlprompt.methods.ZeroShot(clip, task.classnames, templates=task.template)
    right = (method(clip.prepare(images)).argmax(1) == labels).float().mean().item()
    assert result.accuracies == {"all": pytest.approx(100 * right, abs=0.01)}


def test_cross_dataset_tests_the_same_prompts_on_the_others(clip):
    targets = [load("where"), load("how-many")]
    result = cross_dataset(run(clip, "coop", "how-large", targets=targets))
    assert list(result.accuracies) == ["source", "where", "how-many"]
    trainer = run(clip, "coop", "how-large")
    learner = trainer.train(load("how-large"))
    by_hand = trainer.test(learner.with_classes(targets[0].classnames), targets[0])
    assert result.accuracies["where"] == pytest.approx(by_hand, abs=0.01)


def test_zero_shot_reads_each_tasks_own_template(clip):
    result = cross_dataset(run(clip, "zero-shot", "how-large", targets=[load("where")]))
    assert result.accuracies["where"] == few_shot(run(clip, "zero-shot", "where")).accuracies["all"]


def test_domains_are_tested_on_the_classes_that_they_have(clip):
    task = load("plants")
    result = domain_generalisation(run(clip, "zero-shot", "plants"))
    assert list(result.accuracies) == ["source", *task.domains()]
    for domain in task.domains().values():
        assert set(domain.classnames) <= set(task.classnames)


@pytest.mark.parametrize("protocol", [cross_dataset, domain_generalisation])
def test_a_learned_head_is_refused_before_it_is_trained(clip, protocol, monkeypatch):
    monkeypatch.setattr("vlprompt.protocols.fit", lambda *a, **k: pytest.fail("it was trained"))
    with pytest.raises(ValueError, match="a row of weights for each class"):
        protocol(run(clip, "linear-probe", "plants", targets=[load("where")]))


def test_kept_features_change_no_number(clip):
    kept = {}
    first = few_shot(run(clip, "coop", "where", kept=kept))
    assert len(kept) == 1
    assert few_shot(run(clip, "coop", "where", kept=kept)).accuracies == first.accuracies
    assert few_shot(run(clip, "coop", "where")).accuracies == first.accuracies


def test_features_are_not_kept_where_prompts_change_them(clip):
    kept = {}
    few_shot(run(clip, "vpt-shallow", "where", kept=kept))
    assert not kept


def test_kept_features_of_one_task_do_not_serve_another(clip):
    kept = {}
    trainer = run(clip, "coop", "where", kept=kept)
    learner = CoOp(clip, load("where").base().classnames)
    for task in (load("where").base(), load("how-large").base(), load("where").new()):
        images, labels = trainer.inputs(learner, task)
        assert len(images) == len(labels) == len(task.test()[1])
    assert len(kept) == 3


def test_domains_of_a_task(clip):
    domains = load("mammals").domains()
    assert {"true-colours", "rough-scenes", "openmoji", "fluent-emoji-high-contrast"} == set(domains)
    images, labels = domains["true-colours"].test()
    shown, same = load("mammals").test()
    assert images.shape == shown.shape
    assert torch.equal(labels, same)
    base = load("mammals").base().domains()["openmoji"]
    assert set(base.classnames) <= set(load("mammals").base().classnames)
    assert load("where").domains() == {}

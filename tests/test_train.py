"""The training loop: what it learns, what an interruption leaves, and what it refuses."""

from functools import partial

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy import Shaky, Toy, data

import vlprompt.train
from vlprompt.evaluate import accuracy, keep_features
from vlprompt.recipes import Recipe
from vlprompt.train import batches, make_optimizer

RECIPE = Recipe(lr=0.1, epochs=4, batch_size=5)
fit = partial(vlprompt.train.fit, progress=False)


class Stop(Toy):
    """Presses Ctrl-C at the step that one says."""

    at, seen = None, 0

    def classifier(self):
        self.seen += 1
        if self.seen == self.at:
            raise KeyboardInterrupt
        return super().classifier()


def learned(method):
    return torch.cat([p.detach().flatten() for p in method.parameters()])


def jitter(images, generator):
    return images + 0.1 * torch.randn(images.shape, generator=generator)


def test_it_learns():
    method, (images, labels) = Toy(), data(60)
    before = accuracy(method, *data(60, seed=6))
    losses = fit(method, images, labels, Recipe(0.2, 20, 10))
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 4
    assert before < 80 < accuracy(method, *data(60, seed=6))


def test_it_is_plain_sgd_with_momentum_and_decay():
    """A hand-written loop, the references' update rule in four lines, gives the same numbers."""
    method, twin, (images, labels) = Toy(), Toy(), data()
    losses = fit(method, images, labels, RECIPE, seed=3)
    generator = torch.Generator().manual_seed(3)
    momentum, seen = [torch.zeros_like(p) for p in twin.parameters()], []
    for epoch in range(4):
        order = torch.randperm(24, generator=generator)
        for i in range(4):
            batch = order[5 * i : 5 * i + 5]
            loss = torch.nn.functional.cross_entropy(twin(images[batch]), labels[batch])
            seen.append(loss.item())
            gradients = torch.autograd.grad(loss, list(twin.parameters()))
            for p, m, g in zip(twin.parameters(), momentum, gradients, strict=True):
                m.mul_(0.9).add_(g + 5e-4 * p.detach())
                p.data.sub_(RECIPE.learning_rate(4 * epoch + i, 4) * m)
    torch.testing.assert_close(learned(method), learned(twin), rtol=1e-5, atol=1e-6)
    assert losses == pytest.approx([sum(seen[4 * e : 4 * e + 4]) / 4 for e in range(4)], rel=1e-5)


def test_the_seed_decides_and_nothing_global_does():
    images, labels = data()
    runs = []
    for seed, noise in ((1, 10), (1, 20), (2, 10)):
        torch.manual_seed(noise)
        state = torch.random.get_rng_state()
        method = Toy()
        losses = fit(method, images, labels, RECIPE, seed=seed, augment=jitter)
        assert torch.equal(torch.random.get_rng_state(), state)
        runs.append((losses, learned(method)))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][1], runs[2][1])


def test_features_are_computed_once_where_they_can_be():
    images, labels = data()
    kept, given = Toy(), Toy()
    fit(kept, images, labels, RECIPE)
    assert kept.calls == 1
    fit(given, keep_features(Toy(), images), labels, RECIPE)
    assert given.calls == 0
    assert torch.equal(learned(kept), learned(given))

    fresh = Toy()
    fresh.keeps_image_features = False
    fit(fresh, images, labels, RECIPE)
    assert fresh.calls == 16
    torch.testing.assert_close(learned(kept), learned(fresh), rtol=1e-5, atol=1e-6)
    drawn = Toy()
    fit(drawn, images, labels, RECIPE, augment=jitter)
    assert drawn.calls == 16
    assert not torch.equal(learned(drawn), learned(fresh))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 9))
def test_batches_are_full_unless_there_is_but_one(count, size, seed):
    made = batches(count, size, torch.Generator().manual_seed(seed))
    assert len(made) == max(count // size, 1)
    assert all(len(batch) == min(size, count) for batch in made)
    shown = torch.cat(made)
    assert shown.unique().numel() == shown.numel()
    assert 0 <= shown.min() <= shown.max() < count


def test_optimizers_follow_the_recipe():
    weights = [torch.nn.Parameter(torch.ones(2))]
    sgd = make_optimizer(RECIPE, weights).defaults
    assert (sgd["lr"], sgd["momentum"], sgd["weight_decay"]) == (0.1, 0.9, 5e-4)
    assert (sgd["dampening"], sgd["nesterov"]) == (0, False)
    adamw = make_optimizer(Recipe(0.1, 4, 5, optimizer="adamw", weight_decay=0.3), weights)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["weight_decay"] == 0.3


def test_nothing_to_learn_returns_at_once():
    images, labels = data()
    method = Toy()
    assert fit(method, images, labels, Recipe(0.0, 0, 1)) == []
    for parameter in ("words", "scale"):
        value = getattr(method, parameter).detach()
        delattr(method, parameter)
        setattr(method, parameter, value)
    assert fit(method, images, labels, RECIPE) == []


def test_the_bar_shows_loss_speed_and_time_left(capsys):
    vlprompt.train.fit(Toy(), *data(), RECIPE)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 4/4" in err
    assert "16/16" in err
    assert "loss" in err
    assert "step/s" in err
    fit(Toy(), *data(), RECIPE)
    assert capsys.readouterr() == ("", "")


# Interruption


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("kind", [Toy, Shaky])
@pytest.mark.parametrize("at", [1, 6, 13])
def test_an_interrupted_run_ends_as_if_it_never_was(tmp_path, kind, optimizer, at):
    """Ctrl-C in the first, second and last epoch; then a new process's method goes on."""

    class Interrupted(Stop, kind):
        pass

    Interrupted.__name__ = kind.__name__
    (images, labels), path = data(), tmp_path / "run" / "state.safetensors"
    call = partial(
        fit,
        images=images,
        labels=labels,
        recipe=Recipe(0.1, 4, 5, optimizer=optimizer),
        augment=None if kind is Toy else jitter,
    )
    whole = kind()
    losses = call(whole)

    method = Interrupted()
    method.at = at
    with pytest.raises(KeyboardInterrupt, match=f"stopped after {(at - 1) // 4} of 4 epochs"):
        call(method, checkpoint=path)
    assert path.exists() == (at > 4)
    again = kind()
    assert call(again, checkpoint=path) == losses
    assert torch.equal(learned(again), learned(whole))


def test_ctrl_c_keeps_what_was_reached():
    """In the thirteenth step: the method is where the twelfth, the last finite loss, was seen."""
    images, labels = data()
    states = []

    class Watched(Stop):
        def classifier(self):
            states.append(learned(self))
            return super().classifier()

    method = Watched()
    method.at = 13
    with pytest.raises(KeyboardInterrupt) as stop:
        fit(method, images, labels, RECIPE)
    assert "the method keeps what it learned" in str(stop.value)
    assert torch.equal(learned(method), states[11])


def test_ctrl_c_inside_the_update_leaves_no_half_of_it(monkeypatch):
    images, labels = data()
    method = Toy()

    def half(optimizer, *_):
        with torch.no_grad():
            method.words += 1
        raise KeyboardInterrupt

    before = learned(method)
    monkeypatch.setattr(torch.optim.SGD, "step", half)
    with pytest.raises(KeyboardInterrupt):
        fit(method, images, labels, RECIPE)
    assert torch.equal(learned(method), before)


def test_a_finished_run_returns_at_once(tmp_path):
    (images, labels), path = data(), tmp_path / "state"
    method = Toy()
    losses = fit(method, images, labels, RECIPE, checkpoint=path)
    for again in (Toy(), method):  # in a new process, and in a notebook's cell run once more
        again.calls = 0
        assert fit(again, images, labels, RECIPE, checkpoint=path) == losses
        assert torch.equal(learned(again), learned(method))
        assert again.calls == 0


def test_the_method_that_a_crash_left_at_an_epochs_end_goes_on_too(tmp_path):
    (images, labels), path = data(), tmp_path / "state"
    seen = []

    def view(batch, generator):
        seen.append(1)
        if len(seen) == 9:
            raise RuntimeError("out of memory")
        return batch

    method = Toy()
    with pytest.raises(RuntimeError):
        fit(method, images, labels, RECIPE, augment=view, checkpoint=path)
    losses = fit(method, images, labels, RECIPE, augment=view, checkpoint=path)
    assert len(seen) == 17
    assert fit(Toy(), images, labels, RECIPE, augment=view, checkpoint=path) == losses
    assert len(seen) == 17


def test_a_crash_while_writing_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    (images, labels), path = data(), tmp_path / "state"
    writes, save_file = [], vlprompt.resume.save_file

    def full(tensors, file, metadata):
        writes.append(file)
        if len(writes) == 3:
            file.write_bytes(b"half a fi")
            raise OSError("no space left on device")
        save_file(tensors, file, metadata)

    monkeypatch.setattr(vlprompt.resume, "save_file", full)
    with pytest.raises(OSError, match="no space left"):
        fit(Toy(), images, labels, RECIPE, checkpoint=path)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
    whole, again = Toy(), Toy()
    fit(whole, images, labels, RECIPE)
    fit(again, images, labels, RECIPE, checkpoint=path)
    assert torch.equal(learned(again), learned(whole))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": Recipe(0.2, 4, 5)}, r"lr \(0.1 there, 0.2 here\)"),
        ({"recipe": Recipe(0.1, 8, 5)}, r"epochs \(4 there, 8 here\)"),
        ({"seed": 2}, r"seed \(1 there, 2 here\)"),
        ({"augment": jitter}, r"augmentation \(None there, jitter here\)"),
        ({"images": data(seed=6)[0]}, "sha256 of the images"),
        ({"labels": data()[1].flip(0)}, "sha256 of the labels"),
        ({"method": Shaky()}, r"method \(Toy there, Shaky here\)"),
        (
            {"method": Toy(seed=1)},
            r"options \({'seed': 0, .*'seed': 1, .*, sha256 of the values",
        ),
        ({"method": Toy(["cat", "dog", "owl"])}, "sha256 of the class names"),
    ],
)
def test_another_runs_checkpoint_is_refused(tmp_path, change, said):
    images, labels = data()
    run = {"method": Toy(), "images": images, "labels": labels, "recipe": RECIPE}
    path = tmp_path / "state"
    fit(**run, checkpoint=path)
    written = path.read_bytes()
    run = run | {"method": Toy()} | change
    before = learned(run["method"])
    with pytest.raises(ValueError, match=said) as refused:
        fit(**run, checkpoint=path)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == written
    assert torch.equal(learned(run["method"]), before)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint at all", "truncated", "one bit", "foreign"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "state"
    fit(Toy(), *data(), RECIPE, checkpoint=path)
    if damage == "truncated":
        damage = path.read_bytes()[:-10]
    if damage == "one bit":
        damage = bytearray(path.read_bytes())
        damage[-1] ^= 1
    if damage == "foreign":
        damage = safetensors.torch.save({"x": torch.ones(1)})
    path.write_bytes(damage)
    with pytest.raises(ValueError, match="damaged or no training checkpoint"):
        fit(Toy(), *data(), RECIPE, checkpoint=path)


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="is no file"):
        fit(Toy(), *data(), RECIPE, checkpoint=tmp_path)


# A loss that is not finite


def test_a_learning_rate_beyond_all_bounds_stops_the_training(tmp_path):
    (images, labels), path = data(), tmp_path / "state"
    method = Toy()
    with pytest.raises(FloatingPointError) as stop:
        fit(method, images, labels, Recipe(1e38, 4, 5), checkpoint=path)
    assert "after step 5 (epoch 2 of 4), whose learning rate of 1e+38 is likely too high" in str(stop.value)
    assert "try lr=1e+37" in str(stop.value)
    assert learned(method).isfinite().all()
    assert method(images).isfinite().all()
    assert fit(Toy(), images, labels, Recipe(0.1, 4, 5), checkpoint=tmp_path / "other")


def test_a_loss_bad_from_the_start_is_not_blamed_on_the_rate():
    method, (images, labels) = Toy(), data()
    with torch.no_grad():
        method.words[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"before the first step.*initial values"):
        fit(method, images, labels, RECIPE)


def test_a_last_update_that_is_not_finite_is_never_saved(tmp_path):
    """The loss of the last step is finite, its gradient is not: nothing but the values tells."""

    class Cliff(Toy):
        def classifier(self):
            classify = super().classifier()
            return lambda x: classify(x) + (self.scale - self.scale.detach()).sqrt()

    method, (images, labels) = Cliff(), data(5)
    before = learned(method)
    with pytest.raises(FloatingPointError, match="a learned value is not finite after step 1 "):
        fit(method, images, labels, RECIPE, checkpoint=tmp_path / "state")
    assert torch.equal(learned(method), before)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": data()[0] / 0}, "not finite"),
        ({"labels": data()[1] + 1}, "the method has 3 classes"),
        ({"labels": data()[1][:3]}, "there are 24 images"),
        ({"recipe": Recipe(0.1, 1, 5)}, "end within the warm-up of 1"),
        ({"recipe": Recipe(40.0, 200, 5, schedule="vp", warmup=1000)}, "warm-up of 1000"),
        ({"images": torch.randn(24, 8), "augment": jitter}, "features cannot be augmented"),
    ],
)
def test_bad_input_is_refused_before_any_work(change, message):
    images, labels = data()
    method = Toy()
    before = learned(method)
    with pytest.raises(ValueError, match=message):
        fit(**{"method": method, "images": images, "labels": labels, "recipe": RECIPE, **change})
    assert method.calls == 0
    assert torch.equal(learned(method), before)


# Somebody watches


def test_who_watches_is_told_of_each_step_and_changes_nothing():
    method, twin, (images, labels), seen = Toy(), Toy(), data(), []
    losses = fit(method, images, labels, RECIPE, watch=lambda *step: seen.append(step))
    assert [(step, steps) for step, steps, _ in seen] == [(i, 16) for i in range(1, 17)]
    assert losses == pytest.approx([sum(loss for *_, loss in seen[4 * e : 4 * e + 4]) / 4 for e in range(4)])
    assert losses == fit(twin, images, labels, RECIPE)
    assert torch.equal(learned(method), learned(twin))


def test_who_watches_can_stop_the_training_as_ctrl_c_does():
    def at_six(step, steps, loss):
        if step == 6:
            raise KeyboardInterrupt

    method, (images, labels) = Toy(), data()
    with pytest.raises(KeyboardInterrupt, match="stopped after 1 of 4 epochs"):
        fit(method, images, labels, RECIPE, watch=at_six)
    assert learned(method).isfinite().all()

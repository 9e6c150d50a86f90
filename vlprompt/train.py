"""Training: `fit` learns a method's prompts on a frozen CLIP, by a recipe."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from vlprompt.evaluate import check_images, check_labels, keep_features
from vlprompt.recipes import Recipe
from vlprompt.resume import Checkpoint, describe

Augment = Callable[[Tensor, torch.Generator], Tensor]


def fit(
    method: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 1,
    augment: Augment | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> list[float]:
    """Train a method in place, by cross-entropy over its classes; returns each epoch's mean loss.

    `images` (N, 3, H, W) are normalised floats, or features (N, E) of `keep_features`; `labels`
    (N,) count from 0; `augment(batch, generator)` draws a new view of a batch at each showing.
    With a `checkpoint` path the state is kept there after each epoch, and the same call goes on
    from it, on a CPU to the same bits (a method that draws must hold its generator, or keep what it
    needs in its `state_dict`).  Ctrl-C, and a loss that is not finite (a FloatingPointError), leave
    the method as it last had a finite loss.  Bad input is a ValueError.
    """
    steps = check(method, images, labels, recipe, augment)
    parameters = dict(method.named_parameters())
    if recipe.epochs == 0 or not parameters:
        return []
    optimizer = make_optimizer(recipe, parameters.values())
    random = torch.Generator().manual_seed(seed)
    run = describe(method, images, labels, recipe, seed, augment) if checkpoint else {}
    saved = Checkpoint(checkpoint, run, method, optimizer, random)
    losses = saved.restore()
    if len(losses) == recipe.epochs:
        return losses
    loss_on = make_loss(method, images, labels, augment, random)

    step = len(losses) * steps
    last_good = copy(parameters)
    bar = tqdm(total=recipe.epochs * steps, initial=step, unit="step", disable=not progress)
    try:
        for epoch in range(len(losses), recipe.epochs):
            bar.set_description(f"epoch {epoch + 1}/{recipe.epochs}")
            total = 0.0
            for batch in batches(len(images), recipe.batch_size, random):
                loss = loss_on(batch)
                if not loss.isfinite():
                    raise not_finite(f"the loss is {loss:.3g}", recipe, step, steps)
                last_good = copy(parameters)

                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate(step, steps)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

                step += 1
                total += loss.item()
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update()
            if not all(p.isfinite().all() for p in parameters.values()):
                raise not_finite("a learned value is not finite", recipe, step, steps)
            losses.append(total / steps)
            saved.save(losses)
    except FloatingPointError:
        put_back(parameters, last_good)
        raise
    except KeyboardInterrupt:
        put_back(parameters, last_good)  # the optimiser may have been half through its parameters
        raise KeyboardInterrupt(stopped(len(losses), recipe, checkpoint)) from None
    finally:
        bar.close()
    return losses


def check(method: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, augment) -> int:
    """Refuse what cannot be trained on; the number of steps in an epoch."""
    check_images(method, images)
    check_labels(labels, len(images), len(method.classnames))
    if augment is not None and images.ndim == 2:
        raise ValueError("features cannot be augmented: give images (N, 3, H, W), or no augment")
    steps = max(len(images) // recipe.batch_size, 1)
    if recipe.is_all_warmup(steps):
        raise ValueError(
            f"{recipe.epochs} epochs of {steps} steps end within the warm-up of {recipe.warmup}: "
            "give more epochs or a shorter warm-up"
        )
    return steps


def make_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """SGD without dampening or Nesterov, or AdamW; the decay is on every parameter, biases too."""
    decay = recipe.weight_decay
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=decay)


def make_loss(
    method: nn.Module,
    images: Tensor,
    labels: Tensor,
    augment: Augment | None,
    random: torch.Generator,
) -> Callable[[Tensor], Tensor]:
    """The function from a batch's indices to its loss, on the method's device."""
    # Where no prompt enters the image tower and no view is drawn anew, features never change.
    kept = method.keeps_image_features and augment is None
    inputs = keep_features(method, images) if kept else images
    device = method.backbone.device
    labels = labels.to(device)

    def loss_on(batch: Tensor) -> Tensor:
        shown = inputs[batch].to(device)
        if augment is not None:
            shown = augment(shown, random)
        # The prompts stay float32: in half precision the warm-up's small steps round to nothing.
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = method.classifier()(shown) if kept else method(shown)
        return F.cross_entropy(logits.float(), labels[batch])

    return loss_on


def batches(count: int, size: int, random: torch.Generator) -> tuple[Tensor, ...]:
    """Indices of an epoch's batches, shuffled; one that is not full only if it is all."""
    order = torch.randperm(count, generator=random)
    return order[: count - count % size].split(size) if count >= size else (order,)


def copy(parameters: dict[str, nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters.values()]


@torch.no_grad()
def put_back(parameters: dict[str, nn.Parameter], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters.values(), values, strict=True):
        parameter.copy_(value)


def not_finite(what: str, recipe: Recipe, step: int, steps: int) -> FloatingPointError:
    """The error that says after which step and at which rate it happened, and the likely cause."""
    if step == 0:
        return FloatingPointError(
            f"{what} before the first step, so the cause is not the training: the backbone's "
            "weights or the method's initial values are likely not finite"
        )
    rate = recipe.learning_rate(step - 1, steps)
    return FloatingPointError(
        f"{what} after step {step} (epoch {(step - 1) // steps + 1} of {recipe.epochs}), whose "
        f"learning rate of {rate:.3g} is likely too high: try lr={recipe.lr / 10:.3g}; the method "
        "is left as it last had a finite loss"
    )


def stopped(epochs: int, recipe: Recipe, checkpoint: str | Path | None) -> str:
    """What an interruption has left, in one sentence."""
    kept = f"stopped after {epochs} of {recipe.epochs} epochs; the method keeps what it learned"
    if checkpoint is None or epochs == 0:
        return kept
    return f"{kept}, and the same run begun anew goes on after epoch {epochs}, from {checkpoint}"

"""Training: `fit` learns a method's prompts on a frozen CLIP, by a recipe."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from vlprompt.evaluate import Images, check_images, check_labels, keep_features
from vlprompt.pictures import LazyImages
from vlprompt.recipes import Recipe
from vlprompt.resume import Checkpoint, describe

Augment = Callable[[Tensor, torch.Generator], Tensor]
Watch = Callable[[int, int, float], None]  # a step's number from 1, the steps in all, its loss


def fit(
    method: nn.Module,
    images: Images,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 1,
    augment: Augment | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    watch: Watch | None = None,
) -> list[float]:
    """Train a method in place, by cross-entropy over its classes; returns each epoch's mean loss.

    `images` (N, 3, H, W) are normalised floats or `LazyImages`, or features (N, E) of `keep_features`
    or (V, N, E) of `keep_views`, of which epoch v sees the v-th; `labels` (N,) count from 0.
    `augment(batch, generator)` draws a new view of a batch at each showing; images in files want
    `RandomViews`, which cuts views from the whole pictures.
    With a `checkpoint` path the state is kept there after each epoch, and the same call goes on
    from it, on a CPU to the same bits (a method that draws must hold its generator, or keep what it
    needs in its `state_dict`).  Ctrl-C, and a loss that is not finite (a FloatingPointError), leave
    the method as it last had a finite loss.  `watch` is called after each step, and stops the training
    as Ctrl-C does by raising KeyboardInterrupt.  Bad input is a ValueError.
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
    show, kept = make_show(method, images, augment, seed, random)
    loss_on = make_loss(method, labels, kept)

    step = len(losses) * steps
    last_good = copy(parameters)
    bar = tqdm(total=recipe.epochs * steps, initial=step, unit="step", disable=not progress)
    try:
        for epoch in range(len(losses), recipe.epochs):
            bar.set_description(f"epoch {epoch + 1}/{recipe.epochs}")
            total = 0.0
            order = batches(len(labels), recipe.batch_size, random)
            for batch, shown in zip(order, show(epoch, order), strict=True):
                loss = loss_on(shown, batch)
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
                if watch:
                    watch(step, recipe.epochs * steps, loss.item())
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


def check(method: nn.Module, images: Images, labels: Tensor, recipe: Recipe, augment) -> int:
    """Refuse what cannot be trained on; the number of steps in an epoch."""
    views = isinstance(images, Tensor) and images.ndim == 3
    if views and len(images) < recipe.epochs:
        raise ValueError(
            f"images of the shape {tuple(images.shape)} are views (V, N, E) for {len(images)} epochs, but the recipe "
            f"has {recipe.epochs}: keep more views, or give images (N, 3, H, W)"
        )
    check_images(method, images.flatten(0, 1) if views else images)
    count = images.shape[1] if views else len(images)
    check_labels(labels, count, len(method.classnames))
    if augment is not None and images.ndim < 4:
        raise ValueError("features cannot be augmented: give images (N, 3, H, W), or no augment")
    if augment is not None and isinstance(images, LazyImages) and not hasattr(augment, "picture"):
        raise ValueError("views of images in files are cut from the whole pictures: give augment=RandomViews()")
    steps = max(count // recipe.batch_size, 1)
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


def make_show(
    method: nn.Module, images: Images, augment: Augment | None, seed: int, random: torch.Generator
) -> tuple[Callable[[int, tuple[Tensor, ...]], Iterator[Tensor]], bool]:
    """The function from an epoch and its batches of indices to what the method sees; whether those are features."""
    device = method.backbone.device
    kept = method.keeps_image_features and augment is None
    if kept and images.ndim != 3:
        # No prompt enters the image tower and no view is drawn anew: the features never change.
        images = keep_features(method, images)

    def show(epoch: int, order: tuple[Tensor, ...]) -> Iterator[Tensor]:
        if isinstance(images, LazyImages):
            for shown in (images.seen(augment, seed, epoch) if augment else images).stream(order):
                yield shown.to(device)
        else:
            inputs = images[epoch] if images.ndim == 3 else images
            for batch in order:
                shown = inputs[batch].to(device)
                yield augment(shown, random) if augment else shown

    return show, kept


def make_loss(method: nn.Module, labels: Tensor, kept: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The function from what a batch shows, and its indices, to its loss."""
    device = method.backbone.device
    labels = labels.to(device)

    def loss_on(shown: Tensor, batch: Tensor) -> Tensor:
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

"""Accuracy and predictions of a method, and how the papers average them.

Everything here computes in float32, on a GPU too: bfloat16 would move a logit of scale 100 by a
few tenths.  `images` are always a float32 tensor (N, 3, H, W), normalised as the backbone wants it,
or files that are read batch by batch (`LazyImages`): what `Backbone.prepare` makes of a task's images.
Or they are the features (N, E) that `keep_features` has made of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor, nn

from vlprompt.pictures import LazyImages

Images = Tensor | LazyImages


def accuracy(method: nn.Module, images: Images, labels: Tensor, *, batch_size: int = 100) -> float:
    """The share of images, in per cent, whose most likely class is the right one (overall top-1).

    `labels` (N,) count the method's classes from 0.  Images and labels that do not go together are
    a ValueError.
    """
    check_images(method, images)
    check_labels(labels, len(images), len(method.classnames))
    right, seen = 0, 0
    for logits in logits_in_batches(method, images, batch_size):
        wanted = labels[seen : seen + len(logits)]
        right += (logits.argmax(dim=1).cpu() == wanted.cpu()).sum().item()
        seen += len(logits)
    return 100 * right / seen


def probabilities(method: nn.Module, images: Images, *, batch_size: int = 100) -> Tensor:
    """What the method believes of each image: (N, C), each row adding up to 1, on the CPU."""
    check_images(method, images)
    return torch.cat([logits.softmax(dim=1).cpu() for logits in logits_in_batches(method, images, batch_size)])


def predict(
    method: nn.Module, images: Images | Sequence, *, top: int = 1, batch_size: int = 100
) -> list[list[tuple[str, float]]]:
    """The `top` most likely classes of each image, as (name, probability), the likeliest first.

    `images` may also be a list of PIL images of any size, or a task's `Pictures`, which the
    backbone's preprocessing prepares: `predict(method, [Image.open("holiday.jpg")], top=3)`.
    """
    names = method.classnames
    if not 1 <= top <= len(names):
        raise ValueError(f"top is {top}, but there are {len(names)} classes: give 1 to {len(names)}")
    if not isinstance(images, Images):
        if not isinstance(images, Sequence) or len(images) == 0:
            raise ValueError(
                f"images are {images!r:.40}, but a float32 tensor (N, 3, H, W) or a list of at "
                "least one PIL image, is wanted"
            )
        images = torch.stack([method.backbone.preprocess(image) for image in images])
    values, classes = probabilities(method, images, batch_size=batch_size).topk(top, dim=1)
    return [
        [(names[c], p) for c, p in zip(*row, strict=True)]
        for row in zip(classes.tolist(), values.tolist(), strict=True)
    ]


@torch.no_grad()
def keep_features(method: nn.Module, images: Images, *, batch_size: int = 100) -> Tensor:
    """The image features (N, E) of a method whose prompts do not enter the image tower.

    They do not change while it trains, and are the same for all seeds and shots: give them to
    `fit`, `accuracy` and the others in place of the images.  They stay on the method's device.
    """
    check_images(method, images)
    if images.ndim == 2:
        return images.to(method.backbone.device)
    if not method.keeps_image_features:
        raise ValueError(
            f"the image features of {type(method).__name__} change with its prompts and cannot be "
            "kept: give the images themselves"
        )
    device = method.backbone.device
    return torch.cat([method.image_features(batch.to(device)) for batch in images.split(batch_size)])


@torch.no_grad()
def logits_in_batches(method: nn.Module, images: Images, batch_size: int) -> Iterator[Tensor]:
    """Logits (B, C) of one batch after another; what does not depend on the image is done once."""
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but it must be 1 or more")
    classify: Callable[[Tensor], Tensor] = method.classifier()
    device = method.backbone.device
    for batch in images.split(batch_size):
        batch = batch.to(device)
        yield classify(batch if images.ndim == 2 else method.image_features(batch)).float()


def harmonic_mean(base: float, new: float) -> float:
    """2·base·new / (base + new), the base-to-new score; 0 where both are 0."""
    for value in (base, new):
        if not 0 <= value <= 100:
            raise ValueError(f"an accuracy is {value}, but it must be a per cent from 0 to 100")
    return 2 * base * new / (base + new) if base + new > 0 else 0.0


def average(results: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Mean accuracies over tasks, as the papers do: the harmonic mean is that of the means.

    `results` holds one mapping a task, as {"base": 69.3, "new": 74.2}, all with the same names;
    what one of them does not know (None) has no mean.  (The mean of the harmonic means would be
    another number: 71.59, not CLIP's 71.70, on the eleven data sets of the CoCoOp paper.)
    """
    if not results:
        raise ValueError("there are no results to average: give one mapping for each task")
    names = [name for name in results[0] if name != "harmonic_mean"]
    for result in results:
        if {*result, "harmonic_mean"} != {*names, "harmonic_mean"}:
            raise ValueError(
                f"results hold different accuracies, {list(results[0])} and {list(result)}: "
                "average those of one protocol at a time"
            )
    means: dict[str, float | None] = {}
    for name in names:
        values = [result[name] for result in results]
        means[name] = None if None in values else fmean(values)
    if {"base", "new"} <= means.keys():
        known = None not in (means["base"], means["new"])
        means["harmonic_mean"] = harmonic_mean(means["base"], means["new"]) if known else None
    return means


def check_images(method: nn.Module, images: Images) -> None:
    """Refuse what is not a float32 tensor of finite images or of their kept features, nor images in files."""
    if isinstance(images, LazyImages) and len(images) > 0:
        return  # whatever a file holds, its pixels are finite; one that cannot be read says so itself
    if not isinstance(images, Tensor) or images.dtype != torch.float32:
        given = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(
            f"images are {given}, but a float32 tensor, normalised by the backbone's preprocessing, is wanted: "
            "backbone.prepare makes it"
        )
    if len(images.shape) not in (2, 4) or 0 in images.shape:
        raise ValueError(
            f"images have the shape {tuple(images.shape)}, but (N, 3, H, W), or (N, E) for kept "
            "features, is wanted, with N at least 1"
        )
    if images.ndim == 2 and not method.keeps_image_features:
        raise ValueError(
            f"features cannot stand for the images of {type(method).__name__}, whose prompts enter "
            "the image tower: give the images (N, 3, H, W)"
        )
    if not images.isfinite().all():
        raise ValueError("images hold values that are not finite: check how they were normalised")


def check_labels(labels: Tensor, count: int, classes: int) -> None:
    """Refuse labels that are not `count` whole numbers from 0 to `classes` - 1."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.long:
        given = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels are {given}, but a tensor of int64 (torch.long) is wanted")
    if labels.shape != (count,):
        raise ValueError(
            f"labels have the shape {tuple(labels.shape)}, but there are {count} images: give one "
            f"label for each, ({count},)"
        )
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels run from {low} to {high}, but the method has {classes} classes: give 0 to {classes - 1}"
        )

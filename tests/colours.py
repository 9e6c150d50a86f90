"""A small CLIP and a small task, for the tests of the panels that show pictures."""

import dataclasses
from functools import cache

import torch
from clips import clip
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from vlprompt.tasks import Task

NAMES = ("cat", "dog", "cow", "hen", "fox")


def paint(label, side, count, generator):
    """Pictures (count, 3, 48, 48) of one colour for each class, with much noise."""
    colour = torch.tensor([40.0 * label, 200 - 30.0 * label, 90.0]).view(3, 1, 1)
    return (colour + 60 * torch.randn(count, 3, 48, 48, generator=generator)).clamp(0, 255).to(torch.uint8)


@cache
def small_task():
    return Task("colours", "squares of a colour", "a photo of a {}.", NAMES, paint, keep=tuple(range(len(NAMES))))


@cache
def small_clip(name="small"):
    """A random CLIP that sees 9 patches of 48 by 48 pixels."""
    fit = Resize(48), CenterCrop(48)
    preprocess = Compose([*fit, ToTensor(), Normalize((0.5, 0.5, 0.5), (0.25, 0.3, 0.35))])
    return dataclasses.replace(clip(size=48, patch=16, name=name), preprocess=preprocess)


def pictures_and_labels():
    """The test pictures as the CLIP takes them, and their labels."""
    scenes, labels = small_task().test()
    return small_clip().prepare(scenes), labels


def writes(panel):
    """A list that grows by each new picture of a panel."""
    seen = []
    panel.picture.observe(lambda change: seen.append(change["new"]), "value")
    return seen

"""A method of three numbers' worth of arithmetic, for tests of what surrounds the methods."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

NAMES = ["cat", "dog", "cow"]


class Toy(nn.Module):
    """A linear map of the pixels, and class vectors that are learned: images (B, 3, 4, 4)."""

    keeps_image_features = True

    def __init__(self, classnames=NAMES, *, seed=0):
        super().__init__()
        self.classnames, self.options = list(classnames), {"seed": seed, "of": ("words",)}
        self.backbone = SimpleNamespace(
            device=torch.device("cpu"),
            preprocess=lambda image: torch.full((3, 4, 4), float(image)),
            fingerprint="toy",
        )
        generator = torch.Generator().manual_seed(seed)
        self.eye = torch.randn(48, 8, generator=torch.Generator().manual_seed(99))  # frozen
        self.words = nn.Parameter(torch.randn(len(classnames), 8, generator=generator))
        self.scale = nn.Parameter(torch.ones(()))
        self.calls = 0  # how often the image tower ran

    def image_features(self, images):
        self.calls += 1
        return F.normalize(images.flatten(1) @ self.eye, dim=-1)

    def classifier(self):
        words = F.normalize(self.words, dim=-1)
        return lambda features: 10 * self.scale * features @ words.T

    def forward(self, images):
        return self.classifier()(self.image_features(images))


class Shaky(Toy):
    """Like a random patch: adds a number to each batch, drawn from a generator of its own."""

    keeps_image_features = False

    def __init__(self, classnames=NAMES, *, seed=0):
        super().__init__(classnames, seed=seed)
        self.random = torch.Generator().manual_seed(seed)

    def image_features(self, images):
        return super().image_features(images + torch.rand((), generator=self.random))


def data(count=24, seed=5):
    """Images (count, 3, 4, 4) that three class means tell apart, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    means = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return means[labels] + 0.5 * torch.randn(count, 3, 4, 4, generator=generator), labels

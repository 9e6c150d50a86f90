"""What a prompt in pixels looks like: its numbers put back from the network's scale to a screen's levels, 0 to 255."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.transforms import Normalize

from vlprompt.backbone import Backbone

WHITE = 255


def in_levels(backbone: Backbone, pixels: Tensor) -> Tensor:
    """What a prompt adds to a picture, in levels of a screen: (3, H, W) -> (3, H, W), below 0 where it darkens.

    A picture enters as (levels / 255 - mean) / std, so a prompt p that is added to it is worth 255 std p levels; the
    mean takes no part. ValueError for a backbone whose preprocessing does not normalise.
    """
    return WHITE * normalisation(backbone).to(pixels.device) * pixels.detach()


def prompted(backbone: Backbone, scenes: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures that the network is shown, in levels, (N, 3, H, W), and what of them a screen can show, in uint8.

    scenes (N, 3, H, W) uint8, pixels (3, H, W). Nothing holds the first within 0 to 255; the second is cut there.
    """
    if scenes.dtype != torch.uint8 or scenes.shape[1:] != pixels.shape:
        raise ValueError(
            f"scenes are {scenes.dtype} {tuple(scenes.shape)}, but uint8 (N, {', '.join(map(str, pixels.shape))}) is "
            "wanted: pictures as a task gives them, of the prompt's size"
        )
    levels = scenes.float() + in_levels(backbone, pixels).to(scenes.device)
    return levels, levels.clamp(0, WHITE).round().to(torch.uint8)


def beyond_the_screen(levels: Tensor) -> float:
    """The share of some levels, in per cent, that no screen can show: below 0 or above 255."""
    return 100 * ((levels < 0) | (levels > WHITE)).float().mean().item()


def normalisation(backbone: Backbone) -> Tensor:
    """The standard deviations (3, 1, 1) by which the backbone's preprocessing divides."""
    steps = getattr(backbone.preprocess, "transforms", ())
    for step in steps:
        if isinstance(step, Normalize):
            return torch.as_tensor(step.std, dtype=torch.float32).view(3, 1, 1)
    raise ValueError(f"the preprocessing of {backbone.name} does not normalise, so pixels have no levels to go back to")


def frame_pictures(backbone: Backbone, scene: Tensor, pixels: Tensor) -> dict[str, np.ndarray]:
    """A scene (3, H, W) uint8, the prompt alone at half its strength (grey where it adds nothing), and both together.

    As a screen shows them: "scene", "prompt" and "together", (H, W, 3) uint8 each.
    """
    alone = (WHITE / 2 + in_levels(backbone, pixels).cpu() / 2).clamp(0, WHITE).round().to(torch.uint8)
    _, together = prompted(backbone, scene[None].cpu(), pixels.cpu())
    found = {"scene": scene.cpu(), "prompt": alone, "together": together[0]}
    return {name: picture.permute(1, 2, 0).numpy() for name, picture in found.items()}


def plot_frame(backbone: Backbone, scene: Tensor, pixels: Tensor, title: str = "") -> tuple[Figure, dict]:
    """The three pictures of `frame_pictures` beside each other; they are the data."""
    data = frame_pictures(backbone, scene, pixels)
    words = "the scene", "+ the prompt (at half its strength)", "= what the network sees"
    drawn = Figure(figsize=(7.2, 2.7), layout="constrained")
    for axes, picture, name in zip(drawn.subplots(1, 3), data.values(), words, strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(name, fontsize=9)
        axes.axis("off")
    drawn.suptitle(title, fontsize=11)
    return drawn, data

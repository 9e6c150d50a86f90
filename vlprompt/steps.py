"""What `vlprompt bench` measures: steps in the way of the papers' codes, and in the engine's.

The references' way: every place of the context for every class (77 in CLIP), image by image in CoCoOp, the features of
images and classes computed anew in each step. A step and its counterpart have the same weights and first values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt import flops
from vlprompt.backbone import Backbone
from vlprompt.engine import encode_text
from vlprompt.evaluate import keep_features
from vlprompt.methods import CoCoOp, CoOp, MaPLe

Numbers = tuple[Tensor, tuple[Tensor, ...]]  # logits or features, and gradients


@dataclass(frozen=True)
class Row:
    """A line of the table, and how many times faster, or smaller, the engine is meant to be."""

    about: str
    goal: float | None = None
    memory_goal: float | None = None


ROWS = {
    "text": Row("text tower, forward"),
    "text-gradient": Row("text tower, forward and backward", goal=10),
    "coop": Row("CoOp step of 32 images"),
    "coop-kept": Row("the same, image features kept", goal=15),
    "cocoop": Row("CoCoOp step of 1 image", goal=7, memory_goal=4),
    "cocoop-kept": Row("the same, image features kept"),
    "cocoop-test": Row("CoCoOp evaluation, 1 image of 4"),
    "maple": Row("MaPLe step of 4 images", goal=3.5),
    "test": Row("evaluation of 100 images, text kept"),
}


@dataclass(frozen=True, eq=False)
class Work:
    """A computation and, where something is learned, the way back from its loss."""

    compute: Callable[[], Tensor]
    learned: tuple[nn.Parameter, ...] = ()
    loss: Callable[[Tensor], Tensor] = torch.sum

    def __call__(self) -> Numbers:
        if not self.learned:
            with torch.no_grad():
                return self.compute(), ()
        outputs = self.compute()
        self.loss(outputs.float()).backward()
        gradients = tuple(parameter.grad for parameter in self.learned)
        for parameter in self.learned:
            parameter.grad = None
        return outputs.detach(), gradients

    def within(self, device: torch.device, precision: torch.dtype) -> "Work":
        """The same in autocast; parameters, loss and gradients stay float32, as in `fit`."""

        def compute() -> Tensor:
            with torch.autocast(device.type, precision):
                return self.compute()

        return self if precision == torch.float32 else replace(self, compute=compute)

    def compiled(self, backend: str) -> "Work":
        return replace(self, compute=torch.compile(self.compute, backend=backend))


@dataclass(frozen=True, eq=False)
class Step:
    """A step in the references' way, and in the engine's, for each row that it serves."""

    plain: Work
    engine: dict[str, Work]
    needed: dict[str, float]  # FLOPs, a row
    images: int = 1  # the figures are for one of them


def text(backbone: Backbone, names: Sequence[str]) -> Step:
    plain, ours = pair(CoOp, backbone, names, init="a photo of a")
    return Step(Work(read(plain)), {"text": Work(read(ours))}, {"text": flops.text_needed(backbone, ours.sentences)})


def text_gradient(backbone: Backbone, names: Sequence[str]) -> Step:
    def uneven(features: Tensor) -> Tensor:
        return (features * torch.linspace(-1, 1, features.numel(), device=features.device).view_as(features)).sum()

    def work(method: CoOp) -> Work:
        return Work(read(method), tuple(method.parameters()), uneven)

    plain, ours = pair(CoOp, backbone, names, init="a photo of a")
    needed = flops.text_needed(backbone, ours.sentences, backward=True)
    return Step(work(plain), {"text-gradient": work(ours)}, {"text-gradient": needed})


def coop(backbone: Backbone, names: Sequence[str]) -> Step:
    methods = pair(CoOp, backbone, names, init="a photo of a")
    text_flops = flops.text_needed(backbone, methods[1].sentences, backward=True)
    return training(methods, 32, ["coop", "coop-kept"], text_flops, flops.image_needed(backbone, 32))


def cocoop(backbone: Backbone, names: Sequence[str]) -> Step:
    methods = pair(CoCoOp, backbone, names)  # trained on one image at a time, as published
    text_flops = flops.text_needed(backbone, methods[1].sentences, backward=True)
    return training(methods, 1, ["cocoop", "cocoop-kept"], text_flops, flops.image_needed(backbone, 1))


def maple(backbone: Backbone, names: Sequence[str]) -> Step:
    depth = min(9, backbone.text_layers, backbone.vision_layers)
    methods = pair(MaPLe, backbone, names, depth=depth)
    text_flops = flops.text_needed(backbone, methods[1].sentences, depth=depth, backward=True)
    return training(
        methods, 4, ["maple"], text_flops, flops.image_needed(backbone, 4, depth=depth, length=2, backward=True)
    )


def cocoop_test(backbone: Backbone, names: Sequence[str]) -> Step:
    plain, ours = pair(CoCoOp, backbone, names)
    images = random_images(backbone, 4)
    needed = flops.image_needed(backbone, 4) + flops.text_needed(backbone, ours.sentences, images=4)
    return Step(Work(lambda: plain(images)), {"cocoop-test": Work(lambda: ours(images))}, {"cocoop-test": needed}, 4)


def test(backbone: Backbone, names: Sequence[str]) -> Step:
    plain, ours = pair(CoOp, backbone, names, init="a photo of a")
    images = random_images(backbone, 100)
    with torch.no_grad():
        classify = ours.classifier()  # once for the whole evaluation
    engine = Work(lambda: classify(ours.image_features(images)))
    return Step(Work(lambda: plain(images)), {"test": engine}, {"test": flops.image_needed(backbone, 100)})


STEPS: dict[tuple[str, ...], Callable[[Backbone, Sequence[str]], Step]] = {
    ("text",): text,
    ("text-gradient",): text_gradient,
    ("coop", "coop-kept"): coop,
    ("cocoop", "cocoop-kept"): cocoop,
    ("cocoop-test",): cocoop_test,
    ("maple",): maple,
    ("test",): test,
}


# ---- what the steps share ----------------------------------------------------------------------------------------


def pair(kind: type[nn.Module], backbone: Backbone, names: Sequence[str], **options) -> tuple[nn.Module, nn.Module]:
    """A method twice, with the same values: on the plain path, and on the engine."""
    return kind(replace(backbone, plain=True), names, **options), kind(backbone, names, **options)


def read(method: CoOp) -> Callable[[], Tensor]:
    return lambda: encode_text(method.backbone, method.sentences, method.prompts())


def random_images(backbone: Backbone, count: int) -> Tensor:
    """(count, 3, H, W), distributed as normalised images are; the time does not depend on what they show."""
    size = backbone.image_size
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0)).to(backbone.device)


def training(
    methods: tuple[nn.Module, nn.Module], count: int, rows: Sequence[str], text_flops: float, image_flops: float
) -> Step:
    """Logits, cross-entropy and gradients. A second row is the step on image features that have been kept."""
    plain, ours = methods
    images = random_images(ours.backbone, count)
    labels = torch.arange(count, device=images.device) % len(ours.classnames)

    def work(method: nn.Module, compute: Callable[[], Tensor]) -> Work:
        return Work(compute, tuple(method.parameters()), lambda logits: F.cross_entropy(logits, labels))

    engine = {rows[0]: work(ours, lambda: ours(images))}
    needed = {rows[0]: text_flops + image_flops}
    if len(rows) > 1:
        features = keep_features(ours, images)
        engine[rows[1]] = work(ours, lambda: ours.classifier()(features))
        needed[rows[1]] = text_flops
    return Step(work(plain, lambda: plain(images)), engine, needed)

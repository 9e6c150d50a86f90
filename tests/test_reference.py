"""Every case of `reference/slice.npz`: what the authors' own codes return, and the gradients.

`reference/slice.json` holds sizes and class names. The model's weights and the learnable tensors
are drawn from numpy's RandomState in the sorted order of their names, by the rules in `weight`.
"""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from vlprompt.backbone import wrap
from vlprompt.engine import encode_image, encode_text
from vlprompt.methods import VPT, CoCoOp, CoOp, IndependentVL, MaPLe, count
from vlprompt.sentences import fill, read_names

FOLDER = Path(__file__).parent / "reference"
SPEC = json.loads((FOLDER / "slice.json").read_text())
SIZES, NAMES = SPEC["preset"], SPEC["classnames"]
CASES = [case for case in SPEC["cases"] if case != "zeroshot"]


def weight(name: str, shape: tuple[int, ...], draw: np.random.RandomState) -> torch.Tensor:
    v = torch.from_numpy(draw.standard_normal(shape).astype(np.float32))
    if "ln_" in name and name.endswith("weight"):
        return 1 + 0.1 * v
    if name.endswith("bias"):
        return 0.02 * v
    if name.endswith(("token_embedding.weight", "positional_embedding", "class_embedding")):
        return 0.02 * v
    if name in ("text_projection", "visual.proj"):
        return v / shape[0] ** 0.5
    return v / np.prod(shape[1:]) ** 0.5


@pytest.fixture(scope="module")
def reference():
    return np.load(FOLDER / "slice.npz")


@pytest.fixture(scope="module")
def backbone():
    s = SIZES
    vision = {"layers": s["vl"], "width": s["vw"], "patch_size": s["patch"], "image_size": s["img"]}
    text = {"layers": s["tl"], "width": s["tw"], "heads": s["tw"] // 64}  # vision: 64 channels too
    model = open_clip.CLIP(s["emb"], vision, text, quick_gelu=True)
    own = dict(model.named_parameters())
    del own["logit_scale"]
    draw = np.random.RandomState(s["seed"])
    with torch.no_grad():
        for name in sorted(own):
            own[name].copy_(weight(name, tuple(own[name].shape), draw))
        model.logit_scale.fill_(np.log(100))
    return wrap(model, open_clip.SimpleTokenizer(context_length=77), None, name="slice")


def build(case: str, backbone):
    """The method that a case's name describes."""
    kind, *rest = case.split("-")
    number = {key: int(n) for key, n in re.findall(r"(depth|len|nv|nt|v|t)(\d+)", case)}
    if kind == "coop":
        position, context, length = rest
        options = {"position": position, "class_specific": context == "csc"}
        return CoOp(backbone, NAMES, length=int(length), **options)
    if kind == "cocoop":
        return CoCoOp(backbone, NAMES, length=int(rest[0]), init=None)
    if kind == "maple":
        init = "a photo of a" if "init" in rest else None
        return MaPLe(backbone, NAMES, depth=number["depth"], length=number["len"], init=init)
    if kind == "vpt":
        return VPT(backbone, NAMES, depth=number["depth"], length=number["len"])
    return IndependentVL(
        backbone,
        NAMES,
        vision_depth=number["v"],
        text_depth=number["t"],
        vision_length=number["nv"],
        text_length=number["nt"],
        init=None,
    )


def learnable(case: str, method, reference) -> dict[str, tuple[int, ...]]:
    """The learnable tensors' shapes, by the authors' names, in the order of their draw."""
    found = {}
    for key in reference.files:
        which, _, rest = key.partition("/")
        kind, _, name = rest.partition("/")
        if which == case and kind in ("param", "gradprobe"):
            found[name] = reference[key].shape if kind == "param" else None
    maps = (method.backbone.vision_width, method.backbone.text_width)
    hidden = maps[1] // 16
    large = {"linear1.weight": (hidden, maps[1]), "linear2.weight": (maps[1], hidden)}
    large |= {"prompt_learner.ctx": (len(NAMES), 4, maps[1])}  # one context a class
    for name, shape in found.items():
        if shape is None:
            ends = [large[end] for end in large if name.endswith(end)]
            found[name] = ends[0] if ends else maps  # else a coupling
    return dict(sorted(found.items()))


@pytest.mark.parametrize(
    ("case", "path"),
    [*((case, path) for case in CASES for path in ("fast", "plain")), ("cocoop-4", "chunks")],
)
def test_case(case, path, backbone, reference):
    if path == "plain":
        backbone = dataclasses.replace(backbone, plain=True)
    if path == "chunks":  # so little that the classes take turns
        backbone = dataclasses.replace(backbone, memory=2_000_000)
    method = build(case, backbone)
    shapes = learnable(case, method, reference)
    draw = np.random.RandomState(SIZES["seed"] + 2)
    values = {name: 0.02 * draw.standard_normal(shape) for name, shape in shapes.items()}
    for name, value in values.items():
        if f"{case}/param/{name}" in reference.files:
            np.testing.assert_allclose(reference[f"{case}/param/{name}"], value, atol=1e-6)
    method.load_official({authors(name): torch.tensor(value) for name, value in values.items()})
    assert count(method) == reference[f"{case}/n_params"]

    logits = method(torch.from_numpy(reference["images"]))
    loss = F.cross_entropy(logits, torch.from_numpy(reference["labels"]))
    loss.backward()
    close(logits, reference[f"{case}/logits"], 1e-4)
    close(loss, reference[f"{case}/loss"], 1e-4)

    names = method.official_names()
    grads = {names.get(name, name): p.grad for name, p in method.named_parameters()}
    for name in shapes:
        grad = grads[authors(name).removeprefix("prompt_learner.")]
        if f"{case}/grad/{name}" in reference.files:
            close(grad, reference[f"{case}/grad/{name}"], 1e-3)
        else:
            probes = np.linspace(0, grad.numel() - 1, 256).astype(int)
            close(grad.flatten()[probes], reference[f"{case}/gradprobe/{name}"], 1e-3)
            close(grad.norm(), reference[f"{case}/gradnorm/{name}"], 1e-3)


def authors(name: str) -> str:
    return name.replace("m.visual.", "image_encoder.")  # slice.npz abbreviates it in VPT's cases


def close(ours: torch.Tensor, theirs: np.ndarray, tolerance: float) -> None:
    """Equal relative to the largest number of the whole tensor."""
    assert ours.shape == theirs.shape
    apart = np.abs(ours.detach().numpy() - theirs).max()
    assert apart <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("plain", [False, True])
def test_zero_shot(plain, backbone, reference):
    backbone = dataclasses.replace(backbone, plain=plain)
    sentences = fill(backbone, "a photo of a {}.", read_names(backbone, NAMES))
    assert (sentences.tokens[:, :16].numpy() == reference["zeroshot/tokens"]).all()
    images = torch.from_numpy(reference["images"])
    close(encode_image(backbone, images), reference["zeroshot/image_features"], 1e-4)
    close(encode_text(backbone, sentences), reference["zeroshot/text_features"], 1e-4)

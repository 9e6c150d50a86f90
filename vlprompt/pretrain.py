"""Pretrain the small CLIP from scratch on emoji scenes and their captions: `vlprompt pretrain`.

A batch depends on the seed and the number of its step alone, so a run that was interrupted goes on from its
checkpoint and ends with the same weights as one that was not.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from vlprompt.paths import replace_whole
from vlprompt.tasks.captions import all_words, caption, class_names, name_of
from vlprompt.tasks.classes import positions, styles_on
from vlprompt.tasks.drawings import Drawings, load_drawings
from vlprompt.tasks.scenes import PALETTE, ROUGH, paint, random_layout

MODEL = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 48, "patch_size": 12, "width": 160, "layers": 12, "head_width": 32},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 96, "heads": 3, "layers": 12},
    "quick_gelu": False,
}
MEAN, STD = (0.5, 0.5, 0.5), (0.3, 0.3, 0.3)  # of the pixels, about
SHORT = 14  # tokens: captions up to here are encoded together, the few longer ones apart


@dataclass(frozen=True)
class Recipe:
    """How the small CLIP is trained. Steps may be changed until the learning rate starts to fall."""

    steps: int = 4000
    batch: int = 256  # different things, so that no two captions of a batch fit one scene
    lr: float = 2e-3
    weight_decay: float = 0.1
    warmup: int = 200
    decay: float = 0.25  # of the steps, at the end, in which the learning rate falls to 0
    others: float = 0.4  # how often a thing in no task is met, against one in a task
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step: a rise, a plateau, and a straight fall."""
        fall = (self.steps - step) / (self.decay * self.steps)
        return self.lr * min(1, (step + 1) / self.warmup, fall)


class World:
    """The scenes and captions that pretraining may see: side P of the table in `tasks/sides.py`."""

    def __init__(self, drawings: Drawings):
        self.drawings = drawings
        self.styles = {t.name: styles_on(drawings, t.name, "P") for t in drawings.things}
        self.things = [t for t in drawings.things if self.styles[t.name]]
        names = class_names()
        self.names = [name_of(t, names) for t in self.things]
        self.in_task = torch.tensor([t.name in positions() for t in self.things])
        self.tokenize = open_clip.get_tokenizer("ViT-B-32", context_length=MODEL["text_cfg"]["context_length"])
        met = self.tokenize(all_words(self.things)).unique()
        self.token_ids = met  # ascending, so the end token stays the largest

    def batch(self, recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, 48, 48) normalised, and compact token ids (B, 32), of one step."""
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        random = Random(f"{recipe.seed}/{step}")
        weights = torch.where(self.in_task, 1.0, recipe.others)
        chosen = torch.multinomial(weights, recipe.batch, generator=generator).tolist()
        layout = random_layout(recipe.batch, generator, ROUGH)
        rows, texts = [], []
        for i, n in enumerate(chosen):
            thing = self.things[n]
            style = random.choice(self.styles[thing.name])
            rows.append(self.drawings.rows[thing.name, style])
            colour = list(PALETTE)[layout.colour[i]] if layout.plain[i] else None
            place = (layout.scale[i].item(), layout.x[i].item(), layout.y[i].item())
            texts.append(caption(thing, self.names[n], style, *place, colour, random))
        images = paint(self.drawings.pixels[rows][:, None], layout, generator, ROUGH)
        return normalise(images), torch.searchsorted(self.token_ids, self.tokenize(texts))


def normalise(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) uint8 -> float, about mean 0 and deviation 1."""
    mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def build(vocabulary: int, seed: int) -> CLIP:
    """A CLIP of the small size with fresh weights, its token embedding cut to the words that training meets."""
    with torch.random.fork_rng(devices=[]):  # open_clip draws from the global generator
        torch.manual_seed(seed)
        return CLIP(**{**MODEL, "text_cfg": {**MODEL["text_cfg"], "vocab_size": vocabulary}})


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Text features (B, E); nothing after the end token is computed."""
    ends = tokens.argmax(1)
    x = model.token_embedding(tokens)[:, : ends.max() + 1]
    x = x + model.positional_embedding[: x.shape[1]]
    x = model.transformer(x, attn_mask=model.attn_mask[: x.shape[1], : x.shape[1]])
    return model.ln_final(x[torch.arange(len(x)), ends]) @ model.text_projection


def contrastive_loss(model: CLIP, images: Tensor, tokens: Tensor) -> Tensor:
    """CLIP's loss: each image finds its caption among the batch's, and each caption its image."""
    long = tokens.argmax(1) >= SHORT
    order = torch.cat([torch.where(~long)[0], torch.where(long)[0]])
    texts = torch.cat([encode_text(model, t) for t in (tokens[~long], tokens[long]) if len(t)])
    image = F.normalize(model.visual(images[order]), dim=-1)
    logits = model.logit_scale.exp() * image @ F.normalize(texts, dim=-1).T  # (B, B)
    labels = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def make_optimisers(model: CLIP, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest."""
    blocks = [p for n, p in model.named_parameters() if "resblocks" in n and p.ndim == 2]
    others = [p for n, p in model.named_parameters() if not ("resblocks" in n and p.ndim == 2)]
    muon = torch.optim.Muon(blocks, lr=recipe.lr, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(others, lr=recipe.lr, betas=(0.9, 0.98), weight_decay=0.0)]


def save_checkpoint(path: Path, model: CLIP, optimisers: list, recipe: Recipe, step: int) -> None:
    """Write everything that the next step depends on; safetensors, replaced whole."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, optimiser in enumerate(optimisers):
        for p, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{p}.{k}": v for k, v in state.items()}
    with replace_whole(path) as temporary:
        save_file(tensors, temporary, metadata={"recipe": json.dumps(asdict(recipe)), "step": str(step)})


def load_checkpoint(path: Path, model: CLIP, optimisers: list, recipe: Recipe) -> int:
    """Put a checkpoint's state in place and return the number of steps done.

    Raises ValueError where it is of another run: another recipe, or more steps done than the new plan has before
    its learning rate falls.
    """
    with safe_open(path, "pt") as file:
        header = file.metadata()
    then, step = json.loads(header["recipe"]), int(header["step"])
    now = asdict(recipe)
    differ = [k for k in now if k != "steps" and now[k] != then[k]]
    falls = min(now["steps"], then["steps"]) * (1 - recipe.decay)
    if now["steps"] != then["steps"] and step > falls:
        differ.append("steps")
    if differ:
        which = ", ".join(f"{k} {then[k]}, not {now[k]}" for k in differ)
        raise ValueError(f"the checkpoint {path} is of another run ({which}): give another folder, or delete it")
    tensors = load_file(path)
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    for i, optimiser in enumerate(optimisers):
        state = {}
        for key, value in tensors.items():
            if key.startswith(f"optimiser.{i}."):
                p, name = key.split(".", 3)[2:]
                state.setdefault(int(p), {})[name] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return step


def pretrain(
    folder: Path, recipe: Recipe | None = None, every: int = 100, device: str = "cpu", progress: bool = True
) -> CLIP:
    """Train the small CLIP, from `folder`'s checkpoint if there is one, and write its weights to `folder`.

    The checkpoint is renewed `every` so many steps, so an interruption loses no more than those.
    """
    recipe = recipe or Recipe()
    world = World(load_drawings())
    model = build(len(world.token_ids), recipe.seed).to(device).train()
    optimisers = make_optimisers(model, recipe)
    checkpoint = folder / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, model, optimisers, recipe) if checkpoint.is_file() else 0
    log = folder / "log.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with tqdm(total=recipe.steps, initial=done, unit="step", desc="pretraining", disable=not progress) as bar:
        average = None
        for step in range(done, recipe.steps):
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = recipe.rate(step)
                optimiser.zero_grad()
            images, tokens = (t.to(device) for t in world.batch(recipe, step))
            loss = contrastive_loss(model, images, tokens)
            if not math.isfinite(loss.item()):
                raise FloatingPointError(
                    f"the loss is {loss.item()} at step {step}: lower the learning rate ({recipe.lr})"
                )
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
            bar.update()
            bar.set_postfix(loss=f"{average:.3f}")
            if (step + 1) % every == 0 or step + 1 == recipe.steps:
                save_checkpoint(checkpoint, model, optimisers, recipe, step + 1)
                with log.open("a") as file:
                    file.write(f"{step + 1},{average:.4f}\n")
    export(model, world.token_ids, folder, recipe)
    return model


def export(model: CLIP, token_ids: Tensor, folder: Path, recipe: Recipe) -> None:
    """Write the weights in float16, with only the token embeddings that training met, and the configuration."""
    weights = {k: v.to("cpu", torch.float16).contiguous() for k, v in model.state_dict().items()}
    with replace_whole(folder / "weights.safetensors") as temporary:
        save_file(weights | {"token_ids": token_ids.to(torch.int32)}, temporary)
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
    config = {
        "model_cfg": MODEL,
        "preprocess": {"size": MODEL["vision_cfg"]["image_size"], "mean": MEAN, "std": STD},
        "recipe": asdict(recipe),
        "sha256": sha256,
        "version": "1",
    }
    with replace_whole(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n")

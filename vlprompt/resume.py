"""The file that an interrupted training run goes on from: safetensors and JSON, never a pickle.

It belongs to its run and to no other.  A run is described by everything that its result depends on,
and a file with another description is refused.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vlprompt.paths import replace_whole
from vlprompt.pictures import LazyImages
from vlprompt.recipes import Recipe

START = "sha256 of the values at the start"


class Checkpoint:
    """A run's file: its method, momenta and random generators as they were after an epoch.

    It reads and writes the live objects that `fit` hands over.  `path` None keeps nothing.
    """

    def __init__(
        self,
        path: str | Path | None,
        run: dict[str, object],
        method: nn.Module,
        optimizer: torch.optim.Optimizer,
        random: torch.Generator,
    ):
        self.path = None if path is None else Path(path)
        self.run, self.method, self.optimizer = run, method, optimizer
        self.generators = {"fit": random} | {  # those of a random patch's places, for example
            f"{name}.{key}": value
            for name, module in method.named_modules()
            for key, value in vars(module).items()
            if isinstance(value, torch.Generator)
        }

    def save(self, losses: list[float]) -> None:
        """Write the state after `len(losses)` epochs, whole or not at all."""
        if self.path is None:
            return
        tensors = {f"method/{name}": value for name, value in self.method.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{key}": value for key, value in state.items()}
        tensors |= {f"random/{name}": g.get_state() for name, g in self.generators.items()}
        tensors = {name: value.contiguous() for name, value in tensors.items()}
        metadata = {
            "run": json.dumps(self.run),
            "losses": json.dumps(losses),
            "sha256": sha256(tensors[name] for name in sorted(tensors)),
        }
        with replace_whole(self.path) as temporary:
            save_file(tensors, temporary, metadata)

    def restore(self) -> list[float]:
        """Put the saved state back, if there is any; returns the losses of the epochs behind it.

        A damaged file, or one of another run, is a ValueError that says what differs.
        """
        if self.path is None or not self.path.exists():
            return []
        if not self.path.is_file():
            raise ValueError(f"{self.path} is no file: give the path of one, new or of this run")
        run, losses, tensors = read(self.path)
        method, optimizer = {}, {}
        for name, value in tensors.items():
            match name.split("/"):
                case ["method", key]:
                    method[key] = value
                case ["optimizer", i, key]:
                    optimizer.setdefault(int(i), {})[key] = value
        self.check_same(run, method)
        self.run = run
        self.method.load_state_dict(method)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"random/{name}"])
        return losses

    def check_same(self, run: dict[str, object], reached: dict[str, Tensor]) -> None:
        differ = [key for key in run | self.run if run.get(key) != self.run.get(key)]
        if differ == [START] and all(
            torch.equal(parameter.detach().cpu(), reached[name]) for name, parameter in self.method.named_parameters()
        ):
            return  # the method itself, where its run had left it: a notebook's cell run once more
        if differ:
            said = ", ".join(f"{k} ({run.get(k)} there, {self.run.get(k)} here)" for k in differ)
            raise ValueError(
                f"{self.path} is the checkpoint of another run, which differs in {said}: build the "
                "method and its data as that run did, or give another path"
            )


def read(path: Path) -> tuple[dict[str, object], list[float], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        if sha256(tensors.values()) != metadata["sha256"]:
            raise ValueError("its numbers are not those that were written")
        return json.loads(metadata["run"]), json.loads(metadata["losses"]), tensors
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no training checkpoint ({error}): delete it to start anew") from None


def describe(
    method: nn.Module, images: Tensor | LazyImages, labels: Tensor, recipe: Recipe, seed: int, augment
) -> dict[str, object]:
    """Everything that the result of a run depends on, in words, numbers and hashes."""
    return {
        "method": type(method).__name__,
        "options": json.loads(json.dumps(getattr(method, "options", {}), default=str)),
        **asdict(recipe),
        "seed": seed,
        "augmentation": None if augment is None else getattr(augment, "__qualname__", str(augment)),
        "sha256 of the images": images.sha256() if isinstance(images, LazyImages) else sha256([images]),
        "sha256 of the labels": sha256([labels]),
        "sha256 of the class names": hashlib.sha256("\n".join(method.classnames).encode()).hexdigest(),
        "fingerprint of the backbone": method.backbone.fingerprint,
        START: sha256(method.parameters()),
    }


def sha256(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()

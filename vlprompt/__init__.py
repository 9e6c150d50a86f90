"""Prompt learning for vision-language models: one engine, every method, and the course that explains them.

import vlprompt
backbone = vlprompt.load("tiny")
method = vlprompt.methods.MaPLe(backbone, ["cat", "dog"], depth=9, length=2, init="a photo of a")
logits = method(images)
"""

from importlib import import_module

__version__ = "0.3.0"

# Where each public name lives; imported when it is first used, since torch and open_clip take seconds.
_PUBLIC = {
    "load": "vlprompt.backbone",
    "wrap": "vlprompt.backbone",
    "fit": "vlprompt.train",
    "recipe": "vlprompt.recipes",
    "accuracy": "vlprompt.evaluate",
    "predict": "vlprompt.evaluate",
}
_MODULES = ("checkpoints", "methods", "nlp", "tasks")

__all__ = [*_PUBLIC, *_MODULES, "__version__"]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"vlprompt.{name}")
    raise AttributeError(f"module 'vlprompt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

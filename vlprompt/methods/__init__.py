"""The methods, one file each, and their names at the command line."""

from collections.abc import Callable
from functools import partial

from vlprompt.methods.cocoop import CoCoOp
from vlprompt.methods.common import count
from vlprompt.methods.coop import CoOp
from vlprompt.methods.full_fine_tuning import FullFineTuning
from vlprompt.methods.independent_vl import IndependentVL
from vlprompt.methods.language_only import LanguageOnly
from vlprompt.methods.linear_probe import LinearProbe
from vlprompt.methods.maple import MaPLe
from vlprompt.methods.pixel import FixedPatch, Padding, RandomPatch
from vlprompt.methods.vpt import VPT
from vlprompt.methods.zero_shot import ZeroShot

__all__ = [
    "METHODS",
    "VPT",
    "CoCoOp",
    "CoOp",
    "FixedPatch",
    "FullFineTuning",
    "IndependentVL",
    "LanguageOnly",
    "LinearProbe",
    "MaPLe",
    "Padding",
    "RandomPatch",
    "ZeroShot",
    "count",
]

# Command-line name -> (backbone, classnames, **options) -> method, with the papers' settings.
METHODS: dict[str, Callable] = {
    "zero-shot": ZeroShot,
    "linear-probe": LinearProbe,
    "full-fine-tuning": FullFineTuning,
    "vpt-shallow": partial(VPT, depth=1),
    "vpt-deep": VPT,
    "padding": Padding,
    "fixed-patch": FixedPatch,
    "random-patch": RandomPatch,
    "coop": partial(CoOp, length=4, init="a photo of a"),
    "cocoop": CoCoOp,
    "language-only": LanguageOnly,
    "vision-only": partial(IndependentVL, text_depth=0, vision_length=8),
    "independent-vl": IndependentVL,
    "maple": MaPLe,
    "maple-shared": partial(MaPLe, shared_coupling=True),
}

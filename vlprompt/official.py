"""What the authors' codes save, read safely: CoOp, CoCoOp, MaPLe, IVLP and VPT-in-CLIP."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError
from typing import TypeVar

import torch
from torch import Tensor, nn

Method = TypeVar("Method", bound=nn.Module)

# What the authors learn, among what they save: the rest is the frozen CLIP, or buffers that belong
# to the class names of the training (`token_prefix`, `token_suffix`).
LEARNED = re.compile(
    r"ctx|meta_net\..*|proj\.(weight|bias)|compound_prompt.*|"
    r"(image|text)_encoder\.(.*\.)?VPT(_shallow)?"
)


class Inert:
    """Stands in for every class that a checkpoint names and torch does not know; does nothing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


def empty_dict(*args) -> dict:
    return {}


def empty_list(*args) -> list:
    return []


# The restricted unpickler fills nothing but plain dicts and lists.
STAND_INS = {"collections.defaultdict": empty_dict, "collections.deque": empty_list}


def read_official(source: str | PathLike | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The learned tensors of a checkpoint, by the authors' names, float32, on the CPU.

    A file is read with torch's restricted unpickler, and objects in it (the scheduler) become inert
    stand-ins: nothing in the file is run. ValueError for what is no such checkpoint.
    """
    state = source if isinstance(source, Mapping) else _read_file(Path(source))
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise ValueError(f"a checkpoint holds a dict of tensors, not a {type(state).__name__}")
    learned = {}
    for key, value in state.items():
        name = re.sub(r"(^|\.)module\.", r"\1", str(key)).removeprefix("prompt_learner.")
        if LEARNED.fullmatch(name) and isinstance(value, Tensor):
            learned[name] = value.detach().float().cpu()
    if not learned:
        raise ValueError(
            f"the checkpoint holds no prompt of CoOp, CoCoOp, MaPLe, IVLP or VPT among its "
            f"{len(state)} entries ({', '.join(list(map(str, state))[:4])}, …)"
        )
    return learned


def load_into(method: Method, source: str | PathLike | Mapping[str, Tensor], names: Mapping[str, str]) -> Method:
    """Put a checkpoint's tensors into a method; `names`: the method's names -> the authors'.

    ValueError that says what differs; the method is then as it was.
    """
    learned = read_official(source)
    own = dict(method.named_parameters())
    wanted = {names.get(name, name): parameter for name, parameter in own.items()}
    differ = [f"it lacks {name}" for name in wanted if name not in learned]
    differ += [f"it has {name} besides" for name in learned if name not in wanted]
    differ += [
        f"its {name} is {tuple(learned[name].shape)}, not {tuple(parameter.shape)}"
        for name, parameter in wanted.items()
        if name in learned and learned[name].shape != parameter.shape
    ]
    if differ:
        more = f" (and {len(differ) - 4} more)" if len(differ) > 4 else ""
        raise ValueError(f"the checkpoint does not fit this {type(method).__name__}: {'; '.join(differ[:4])}{more}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(learned[name])
    return method


def _read_file(path: Path) -> object:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if zipfile.is_zipfile(path):
            unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            stand_ins = [(STAND_INS.get(name, Inert), name) for name in unknown]
        else:
            stand_ins = []  # torch before 1.6 wrote no zip file; its restricted reader still works
        with torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle protocol
            return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        reason = str(error).split("error:")[-1].strip().splitlines()  # torch writes a page around it
        raise ValueError(
            f"{path} is no checkpoint that can be read safely: {(reason or ['it ends early'])[0]}"
        ) from error

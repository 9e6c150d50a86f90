"""Own checkpoints: what was learned, in a safetensors file whose header says how to rebuild it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vlprompt import methods
from vlprompt.backbone import Backbone
from vlprompt.paths import replace_whole

FORMAT = "vlprompt-1"
CLASSES = {name: made for name, made in vars(methods).items() if isinstance(made, type) and issubclass(made, nn.Module)}


def save(method: nn.Module, path: str | PathLike) -> None:
    """Write what a method has learned; a file of that name is replaced only by a whole one."""
    state = {name: value.detach().cpu().contiguous() for name, value in method.state_dict().items()}
    header = {
        "format": FORMAT,
        "method": type(method).__name__,
        "options": json.dumps(method.options),
        "classnames": json.dumps(method.classnames, ensure_ascii=False),
        "backbone": method.backbone.name,
        "fingerprint": method.backbone.fingerprint,
        "sha256": digest(state),
    }
    with replace_whole(Path(path)) as temporary:
        safetensors.torch.save_file(state, temporary, metadata=header)


def load(path: str | PathLike, backbone: Backbone, classnames: Sequence[str] | None = None) -> nn.Module:
    """The method that was saved, on the backbone it was trained on; for other class names if given.

    ValueError that says what differs, if the file is damaged, foreign, or of another backbone.
    """
    state, header = _read(Path(path))
    if header.get("format") != FORMAT or header.get("method") not in CLASSES:
        raise ValueError(
            f"{path} is no checkpoint of this package (format {header.get('format')!r}, method "
            f"{header.get('method')!r}); the authors' own are read by method.load_official(path)"
        )
    if header.get("fingerprint") != backbone.fingerprint:
        raise ValueError(
            f"{path} was trained on {header.get('backbone')!r}, weights "
            f"{header.get('fingerprint')}, and this is {backbone.name!r}, weights "
            f"{backbone.fingerprint}; load the former"
        )
    if header.get("sha256") != digest(state):
        raise ValueError(f"{path} is damaged: its numbers are not those that were written")
    try:
        names, options = json.loads(header["classnames"]), json.loads(header["options"])
        method = CLASSES[header["method"]](backbone, names, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the header of {path} describes no method: {error}") from error
    own = method.state_dict()
    differ = sorted(own.keys() ^ state.keys())
    differ += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if differ:
        raise ValueError(
            f"{path} does not fit the {header['method']} that its header describes: {', '.join(differ[:4])} differ"
        )
    method.load_state_dict(state)
    return method if classnames is None else method.with_classes(classnames)


def digest(state: Mapping[str, Tensor]) -> str:
    """The hash that says that the numbers are whole."""
    sha = hashlib.sha256()
    for name in sorted(state):
        sha.update(name.encode() + state[name].numpy().tobytes())
    return sha.hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged, or no safetensors file ({error})") from error

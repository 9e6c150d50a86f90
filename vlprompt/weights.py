"""Models with weights, tokenizer and preprocessing: the small CLIP, and open_clip's by name."""

import difflib
import hashlib
import json
import logging
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

Clip = tuple[nn.Module, Callable, Callable]  # model, tokenizer, preprocessing


def small_clip(folder: Path) -> Clip:
    """The small CLIP: `config.json` and `weights.safetensors`, checked against its sha256."""
    remedy = "get it again with `git checkout -- data/tiny-clip`, or make it with `vlprompt pretrain`"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        raw = folder / "weights.safetensors"
        digest = hashlib.sha256(raw.read_bytes()).hexdigest()
        model_cfg, size = config["model_cfg"], config["preprocess"]["size"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"the small CLIP in {folder} is damaged ({error}); {remedy}") from error
    if digest != config.get("sha256"):
        raise ValueError(
            f"{raw} is damaged: its sha256 starts with {digest[:12]}, config.json says "
            f"{str(config.get('sha256'))[:12]}; {remedy}"
        )
    try:
        state = load_file(raw)
    except SafetensorError as error:
        raise ValueError(f"{raw} is no safetensors file ({error}); {remedy}") from error
    with _seeded():
        model = open_clip.CLIP(**model_cfg)
    rows = state.pop("token_embedding.weight").float()  # (K, d_t): only the tokens in use are kept
    table = torch.zeros(model.vocab_size, rows.shape[1])
    table[state.pop("token_ids").long()] = rows
    state = {name: value.float() for name, value in state.items()}
    model.load_state_dict({**state, "token_embedding.weight": table})
    look = PreprocessCfg(size=size, mean=config["preprocess"]["mean"], std=config["preprocess"]["std"])
    tokenizer = open_clip.SimpleTokenizer(context_length=model.context_length)
    return model, tokenizer, image_transform_v2(look, is_train=False)


def named_clip(name: str, pretrained: str | None, quick_gelu: bool | None) -> Clip:
    """One of open_clip's models, with the weights of a tag, of a file, or random."""
    if name not in open_clip.list_models():
        near = difflib.get_close_matches(name, ["tiny", *open_clip.list_models()], n=3, cutoff=0.4)
        raise ValueError(f"no backbone is named {name!r}; nearest: {', '.join(near) or 'tiny'}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        raise ValueError(
            f"{name} needs weights: give pretrained= a tag ({', '.join(tags[:6]) or 'it has none'})"
            f", the path of a file, or 'random'"
        )
    record = open_clip.get_pretrained_cfg(name, pretrained)
    if record:
        path = _fetch(name, pretrained, record)
        quick_gelu = record.get("quick_gelu", False) if quick_gelu is None else quick_gelu
    elif pretrained == "random":
        path = None
    elif Path(pretrained).is_file():
        path = Path(pretrained)
    else:
        near = difflib.get_close_matches(pretrained, tags, n=3, cutoff=0.3) or tags[:3]
        raise ValueError(
            f"pretrained={pretrained!r} is neither a file nor a tag of {name}; nearest tags: {', '.join(near)}"
        )
    with _seeded(), _quiet():
        try:
            if path and _is_openais(path, name):
                model = open_clip.load_openai_model(str(path), precision="fp32", device="cpu")
            else:
                model = open_clip.create_model(
                    name,
                    pretrained=path and str(path),
                    force_quick_gelu=bool(quick_gelu),
                    pretrained_image=False,
                    pretrained_text=False,
                    device="cpu",
                )
        except (RuntimeError, SafetensorError, UnpicklingError, KeyError, EOFError) as error:
            first = (str(error).strip().splitlines() or ["it ends early"])[0]
            raise ValueError(f"{path} does not hold the weights of {name}: {first}") from error
        look = merge_preprocess_dict(asdict(PreprocessCfg()), record)
        look["size"] = model.visual.image_size
        preprocess = image_transform_v2(PreprocessCfg(**look), is_train=False)
        try:
            tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # of the hub's client, for a model with a tokenizer of its own
            raise ConnectionError(_offline(f"the tokenizer of {name}", name, error)) from error
    return model, tokenizer, preprocess


def _fetch(name: str, tag: str, record: dict) -> Path:
    """The file of a tag's weights: from the hub, or from its cache."""
    try:
        with _quiet():
            return Path(open_clip.download_pretrained(record))
    except Exception as error:  # the hub's client raises a dozen types of its own
        raise ConnectionError(_offline(f"the weights {tag!r} of {name}", name, error)) from error


def _offline(what: str, name: str, error: Exception) -> str:
    return (
        f"{what} could not be fetched ({type(error).__name__}); offline, give a file that you "
        f"have, load({name!r}, pretrained='/path/to/file'), or take the small CLIP that comes with "
        f"the course, load('tiny')"
    )


def _is_openais(path: Path, name: str) -> bool:
    """Whether a file is OpenAI's own for this model: an archive of TorchScript, by its sha256.

    Such files hold code beside the numbers, so no other archive is opened. Their weights want
    QuickGELU, whatever the model's name says.
    """
    try:
        archive = "constants.pkl" in torch._C.PyTorchFileReader(str(path)).get_all_records()
    except RuntimeError:  # no zip file
        return False
    if not archive:
        return False
    url = open_clip.get_pretrained_url(name, "openai")  # its last folder is the file's sha256
    if hashlib.sha256(path.read_bytes()).hexdigest() not in url.split("/"):
        raise ValueError(f"{path} is an archive of TorchScript, but not OpenAI's own of {name}")
    return True


@contextmanager
def _seeded():
    """Random weights are the same each time, and the caller's random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@contextmanager
def _quiet():
    """open_clip reports through the root logger and warnings what our own errors say better."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)

"""Loading and wrapping: the small CLIP's folder, open_clip's names, and what is said when it fails.

Everything here is offline: weights are random, and the hub is a function that the test puts there.
"""

import copy
import hashlib
import json
import logging
import warnings
import zipfile

import open_clip
import pytest
import torch
from clips import NAMES, apart, clip, images, tokenizer
from PIL import Image
from safetensors.torch import save_file

from vlprompt import backbone as module
from vlprompt.backbone import load, wrap

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"layers": 2, "width": 32, "head_width": 16, "patch_size": 12, "image_size": 48},
    "text_cfg": {"layers": 2, "width": 32, "heads": 2, "context_length": 32},
    "quick_gelu": False,
}


def write_folder(folder):
    """A folder as `vlprompt pretrain` leaves it; returns the model that it holds."""
    with torch.random.fork_rng():
        model = open_clip.CLIP(**CONFIG)
    state = {name: value.half() for name, value in model.state_dict().items()}
    used = sorted({0, 49406, 49407, *(t for n in NAMES for t in tokenizer(32).encode(n + "."))})
    state["token_ids"] = torch.tensor(used, dtype=torch.int32)
    state["token_embedding.weight"] = state["token_embedding.weight"][used].clone()
    save_file(state, folder / "weights.safetensors")
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    look = {"size": 48, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    config = {"model_cfg": CONFIG, "preprocess": look, "sha256": digest, "version": "1"}
    (folder / "config.json").write_text(json.dumps(config))
    return model.eval()


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The folder that `load("tiny")` finds."""
    monkeypatch.setattr(module, "data_file", lambda name: tmp_path)
    return tmp_path


# ---- the small CLIP ------------------------------------------------------------------------------


def test_tiny(tiny):
    model = write_folder(tiny)
    state = torch.get_rng_state()
    backbone = load("tiny", device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert (backbone.name, backbone.image_size, backbone.patch_size) == ("tiny", 48, 12)
    assert (backbone.text_width, backbone.vision_width, backbone.embed_dim) == (32, 32, 24)
    assert (backbone.text_layers, backbone.vision_layers, backbone.context_length) == (2, 2, 32)
    assert backbone.device == torch.device("cpu")
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert {p.dtype for p in backbone.model.parameters()} == {torch.float32}
    tokens = backbone.tokenize([f"{name}." for name in NAMES])
    assert apart(backbone.model.encode_text(tokens), model.encode_text(tokens)) < 0.02
    assert apart(backbone.model.encode_image(images(backbone)), model.encode_image(images(backbone))) < 0.02
    white = backbone.preprocess(Image.new("RGB", (60, 80), "white"))
    assert white.shape == (3, 48, 48)
    assert apart(white, torch.full((3, 48, 48), 2.5)) < 1e-6


def test_tiny_damaged(tiny):
    write_folder(tiny)
    path = tiny / "weights.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged: its sha256 .* `git checkout -- data/tiny"):
            load("tiny", device="cpu")
    path.unlink()
    with pytest.raises(ValueError, match=r"is damaged .* make it with `vlprompt pretrain`"):
        load("tiny", device="cpu")
    (tiny / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"is damaged .* make it with `vlprompt pretrain`"):
        load("tiny", device="cpu")


def test_tiny_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr("vlprompt.paths.PACKAGE", tmp_path / "package")
    with pytest.raises(FileNotFoundError, match="git checkout -- data/tiny-clip"):
        load("tiny")


def test_tiny_has_its_own_weights():
    with pytest.raises(ValueError, match="'tiny' comes with its weights"):
        load("tiny", pretrained="openai")


# ---- open_clip's names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [("ViT-B16", "ViT-B-16"), ("vit-b-32", "ViT-B-32"), ("tiny-clip", "tiny"), ("zzzz", "tiny")],
)
def test_unknown_name(name, near):
    with pytest.raises(ValueError, match=rf"no backbone is named '{name}'; nearest: .*{near}"):
        load(name)


def test_unknown_weights():
    with pytest.raises(ValueError, match=r"ViT-B-16 needs weights: give pretrained= .*openai"):
        load("ViT-B-16")
    with pytest.raises(ValueError, match=r"neither a file nor a tag of ViT-B-16; nearest .*openai"):
        load("ViT-B-16", pretrained="open-ai")
    with pytest.raises(ValueError, match=r"neither a file nor a tag"):
        load("ViT-B-16", pretrained="/no/such/file.pt")


def test_unknown_device(tiny):
    with pytest.raises(ValueError, match=r"the device 'tpu' is not there; 'cpu' always is"):
        load("tiny", device="tpu")


def test_hub_out_of_reach(monkeypatch, capfd, caplog):
    def refuse(*args, **kwargs):
        logging.error("no network")
        warnings.warn("no network", stacklevel=1)
        raise FileNotFoundError("Failed to download file")

    monkeypatch.setattr(open_clip, "download_pretrained", refuse)
    with pytest.raises(ConnectionError) as stop:
        load("ViT-B-16", pretrained="openai")
    said = str(stop.value)
    assert "'openai' of ViT-B-16 could not be fetched (FileNotFoundError)" in said
    assert "load('ViT-B-16', pretrained='/path/to/file')" in said
    assert "load('tiny')" in said
    assert "\n" not in said
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def created(monkeypatch):
    """What `open_clip.create_model` is asked for; it returns a small model instead."""
    asked = {}

    def create(name, **options):
        asked.update(options, name=name)
        with torch.random.fork_rng():
            return open_clip.CLIP(**CONFIG)

    monkeypatch.setattr(open_clip, "create_model", create)
    return asked


@pytest.mark.parametrize(("tag", "quick"), [("openai", True), ("laion400m_e32", False)])
def test_quick_gelu_is_that_of_the_weights(tag, quick, created, monkeypatch, tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"")
    monkeypatch.setattr(open_clip, "download_pretrained", lambda record: str(file))
    backbone = load("ViT-B-16", pretrained=tag, device="cpu")
    assert created["pretrained"] == str(file)
    assert created["force_quick_gelu"] is quick
    assert backbone.name == "ViT-B-16"
    assert not backbone.model.training


def test_weights_from_a_file(created, tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"")
    load("ViT-B-16", pretrained=str(file), device="cpu")
    assert created["force_quick_gelu"] is False
    load("ViT-B-16", pretrained=str(file), device="cpu", quick_gelu=True)
    assert created["force_quick_gelu"] is True


def test_openais_own_file_means_quick_gelu(created, monkeypatch, tmp_path):
    """OpenAI's own files are TorchScript archives, known by their sha256; no other is opened."""
    file = tmp_path / "ViT-B-16.pt"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version"):
            archive.writestr(f"model/{name}", b"3\n")
    seen = []

    def load_openai(path, **options):
        seen.append(path)
        with torch.random.fork_rng():
            return open_clip.CLIP(**CONFIG | {"quick_gelu": True})

    monkeypatch.setattr(open_clip, "load_openai_model", load_openai)
    with pytest.raises(ValueError, match=r"archive of TorchScript, but not OpenAI's own of ViT-B"):
        load("ViT-B-16", pretrained=str(file), device="cpu")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(open_clip, "get_pretrained_url", lambda *a: f"https://x/{digest}/x.pt")
    backbone = load("ViT-B-16", pretrained=str(file), device="cpu")
    assert seen == [str(file)]
    assert not created
    assert type(backbone.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_files_through_open_clip(ending, tmp_path, monkeypatch):
    """Its own reader, on a model that is small enough to be made here."""
    monkeypatch.setattr("open_clip.factory.get_model_config", lambda name: copy.deepcopy(CONFIG))
    with torch.random.fork_rng():
        model = open_clip.CLIP(**CONFIG)
    file, write = tmp_path / f"w.{ending}", {"pt": torch.save, "safetensors": save_file}[ending]
    write(model.state_dict(), file)
    backbone = load("RN50", pretrained=str(file), device="cpu")
    assert torch.equal(backbone.model.text_projection, model.text_projection)
    write({"visual.proj": torch.zeros(2)}, file)
    with pytest.raises(ValueError, match=r"does not hold the weights of RN50: Error"):
        load("RN50", pretrained=str(file), device="cpu")
    for content in (b"", b"hello"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"does not hold the weights of RN50: \w+"):
            load("RN50", pretrained=str(file), device="cpu")


def test_a_tokenizer_out_of_reach(created, monkeypatch):
    def refuse(name):
        raise OSError("no network")

    monkeypatch.setattr(open_clip, "get_tokenizer", refuse)
    with pytest.raises(ConnectionError, match=r"the tokenizer of ViT-B-16 could not be fetched"):
        load("ViT-B-16", pretrained="random", device="cpu")


def test_random_weights_are_the_same_each_time(created):
    one, two = (load("ViT-B-16", pretrained="random", device="cpu") for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert created["pretrained"] is None


# ---- a model of one's own ------------------------------------------------------------------------


def test_wrap_freezes_in_place():
    with torch.random.fork_rng():
        model = open_clip.CLIP(**CONFIG)
    backbone = wrap(model, tokenizer(32), None)
    assert backbone.model is model
    assert backbone.visual is model.visual
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert float(backbone.logit_scale) == pytest.approx(1 / 0.07)


def test_wrap_refuses_what_is_no_float32_clip():
    with pytest.raises(ValueError, match="Linear has no visual and no logit_scale"):
        wrap(torch.nn.Linear(2, 2), None, None)
    with torch.random.fork_rng():
        model = open_clip.CLIP(**CONFIG).bfloat16()
    with pytest.raises(ValueError, match=r"must be float32: call model\.float\(\) first"):
        wrap(model, tokenizer(32), None)


def test_tokenize():
    backbone = clip()
    tokens = backbone.tokenize(["a cat", "a dog."])
    assert tokens.shape == (2, 24)
    assert tokens.dtype == torch.int64
    assert tokens[0, :5].tolist() == [49406, 320, 2368, 49407, 0]
    with pytest.raises(ValueError, match=r"'cat cat .* is 3 tokens too long: small reads 24"):
        backbone.tokenize(["dog", "cat " * 25])


def test_fingerprints_tell_weights_apart(tiny):
    write_folder(tiny)
    one, same = load("tiny", device="cpu"), load("tiny", device="cpu")
    assert one.fingerprint == same.fingerprint
    with torch.no_grad():
        one.model.text_projection += 0.1
    assert one.fingerprint != same.fingerprint

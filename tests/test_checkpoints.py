"""Own checkpoints, and the authors', read without running anything that is in them."""

import os
import pickle
from collections import defaultdict, deque
from pathlib import Path

import pytest
import safetensors.torch
import torch
from clips import NAMES, clip, images
from safetensors import safe_open

from vlprompt import checkpoints
from vlprompt.methods import METHODS, VPT, CoCoOp, CoOp, IndependentVL, LanguageOnly, MaPLe

OTHERS = ["dog", "river"]


@pytest.fixture
def backbone():
    return clip(vision=(12, 32), text=(12, 32), context=32)


def shaken(method):
    """As if trained."""
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for p in method.parameters():
            p += 0.1 * torch.randn(p.shape, generator=draw)
    return method


# ---- own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_back_and_forth(name, backbone, tmp_path):
    method = shaken(METHODS[name](backbone, NAMES))
    path = tmp_path / "runs" / "method.safetensors"
    checkpoints.save(method, path)
    assert [p.name for p in path.parent.iterdir()] == [path.name], "no temporary file is left"
    again = checkpoints.load(path, backbone)
    assert type(again) is type(method)
    assert (again.options, again.classnames) == (method.options, method.classnames)
    assert torch.equal(again(images(backbone)), method(images(backbone)))
    if name != "linear-probe":
        other = checkpoints.load(path, backbone, OTHERS)
        assert other(images(backbone)).shape == (2, 2)


def test_only_what_was_learned_is_kept(backbone, tmp_path):
    path = tmp_path / "coop"
    checkpoints.save(CoOp(backbone, NAMES), path)
    with safe_open(path, framework="pt") as file:
        assert list(file.keys()) == ["context"]
    assert path.stat().st_size < 4 * 32 * 4 + 1500


def test_an_interrupted_save_leaves_the_old_file(backbone, tmp_path, monkeypatch):
    path = tmp_path / "coop"
    checkpoints.save(CoOp(backbone, NAMES), path)
    before = path.read_bytes()

    def interrupt(state, file, metadata):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.torch, "save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(shaken(CoOp(backbone, NAMES)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["coop"]


def test_damaged_files_are_refused(backbone, tmp_path):
    path = tmp_path / "coop"
    checkpoints.save(CoOp(backbone, NAMES), path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"x" * 500):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"coop is damaged"):
            checkpoints.load(path, backbone)
    with pytest.raises(ValueError, match="there is no file"):
        checkpoints.load(tmp_path / "nothing", backbone)
    with pytest.raises(ValueError, match="there is no file"):
        checkpoints.load(tmp_path, backbone)


def rewritten(path, **changes):
    """The same file with other entries in its header."""
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in list(file.keys())}
        header = file.metadata()
    safetensors.torch.save_file(state, path, metadata=header | changes)


def test_foreign_and_mismatched_files_are_refused(backbone, tmp_path):
    path = tmp_path / "coop"
    safetensors.torch.save_file({"context": torch.zeros(4, 32)}, path)
    with pytest.raises(ValueError, match=r"no checkpoint of this package .*load_official"):
        checkpoints.load(path, backbone)
    checkpoints.save(CoOp(backbone, NAMES), path)
    with pytest.raises(ValueError, match=r"trained on 'small', weights \w+, and this is 'other'"):
        checkpoints.load(path, clip(vision=(3, 32), text=(12, 32), context=32, name="other"))
    rewritten(path, method="Path")
    with pytest.raises(ValueError, match="no checkpoint of this package"):
        checkpoints.load(path, backbone)
    rewritten(path, method="CoCoOp", options='{"length": 4}')
    with pytest.raises(ValueError, match=r"does not fit the CoCoOp .*meta_net.linear1.bias"):
        checkpoints.load(path, backbone)
    rewritten(path, method="CoOp", options='{"length": 3}')
    with pytest.raises(ValueError, match=r"does not fit the CoOp .*: context differ"):
        checkpoints.load(path, backbone)
    rewritten(path, options='{"size": 3}')
    with pytest.raises(ValueError, match=r"the header of .* describes no method: .*size"):
        checkpoints.load(path, backbone)


# ---- the authors' --------------------------------------------------------------------------------


class ConstantWarmupScheduler:
    """Stands for the scheduler that the authors' trainer pickles into each checkpoint."""

    def __init__(self, optimizer):
        self.optimizer, self.rates = optimizer, deque([0.1])
        self.state = defaultdict(dict, {0: {"step": 1}})


def touch(path):
    Path(path).touch()


class Trap:
    """Runs a command when it is unpickled without care."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def authors_state(method, whole_clip=True):
    """What the authors' code saves of a method: by its names, with buffers and the frozen CLIP."""
    names = method.official_names()
    state = {}
    for name, p in method.named_parameters():
        theirs = names.get(name, name)
        theirs = theirs if theirs.endswith(("VPT", "VPT_shallow")) else f"prompt_learner.{theirs}"
        state[theirs] = p.detach().half()
    state["prompt_learner.token_prefix"] = torch.zeros(5, 1, 32)
    state["prompt_learner.token_suffix"] = torch.zeros(5, 20, 32)
    if whole_clip:
        clip_state = method.backbone.model.state_dict()
        for name, value in clip_state.items():
            tower = "image_encoder." if name.startswith("visual.") else "text_encoder."
            state[tower + name.removeprefix("visual.")] = value
    return state


BUILDERS = {
    "coop": lambda b, s: CoOp(b, NAMES, seed=s),
    "coop-csc": lambda b, s: CoOp(b, NAMES, class_specific=True, seed=s),
    "cocoop": lambda b, s: CoCoOp(b, NAMES, init=None, seed=s),
    "vpt": lambda b, s: VPT(b, NAMES, depth=3, seed=s),
    "language-only": lambda b, s: LanguageOnly(b, NAMES, depth=3, init=None, seed=s),
    "ivlp": lambda b, s: IndependentVL(b, NAMES, init=None, seed=s),
    "vision-only": lambda b, s: IndependentVL(b, NAMES, text_depth=0, seed=s),
    "maple": lambda b, s: MaPLe(b, NAMES, depth=3, init=None, seed=s),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_authors_checkpoints(name, backbone, tmp_path):
    trained = BUILDERS[name](backbone, 1)
    path = tmp_path / "model.pth.tar-5"
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    torch.save(
        {
            "state_dict": authors_state(trained),
            "epoch": 5,
            "optimizer": optimizer.state_dict(),
            "scheduler": {"successor": ConstantWarmupScheduler(optimizer), "last_epoch": 5},
            "val_result": Path("none"),
        },
        path,
    )
    method = BUILDERS[name](backbone, 2)
    assert method.load_official(path) is method
    for ours, theirs in zip(method.parameters(), trained.parameters(), strict=True):
        assert torch.equal(ours, theirs.half().float())
    from_state = BUILDERS[name](backbone, 3).load_official(
        {f"module.{key}": value for key, value in authors_state(trained, False).items()}
    )
    assert torch.equal(from_state(images(backbone)), method(images(backbone)))


def test_nothing_in_a_file_is_run(backbone, tmp_path):
    path, mark = tmp_path / "evil.pth", tmp_path / "was here"
    state = authors_state(CoOp(backbone, NAMES, seed=1), whole_clip=False)
    torch.save({"state_dict": state, "scheduler": Trap(touch, mark)}, path)
    method = CoOp(backbone, NAMES).load_official(path)
    assert torch.equal(method.context, CoOp(backbone, NAMES, seed=1).context.half().float())
    torch.save({"state_dict": state, "scheduler": Trap(os.mkdir, str(mark))}, path)
    with pytest.raises(ValueError, match="no checkpoint that can be read safely"):
        method.load_official(path)
    path.write_bytes(pickle.dumps(Trap(os.mkdir, str(mark))))
    with pytest.raises(ValueError, match="no checkpoint that can be read safely"):
        method.load_official(path)
    assert not mark.exists()


def test_what_differs_is_said(backbone, tmp_path):
    maple = MaPLe(backbone, NAMES, depth=3)
    before = [p.clone() for p in maple.parameters()]
    deeper = authors_state(MaPLe(backbone, NAMES, depth=4))
    with pytest.raises(ValueError, match=r"this MaPLe: it has compound_prompts_text.2 besides"):
        maple.load_official(deeper)
    with pytest.raises(ValueError, match=r"it lacks compound_prompts_text.1; it lacks"):
        maple.load_official(authors_state(MaPLe(backbone, NAMES, depth=2)))
    with pytest.raises(ValueError, match=r"its ctx is \(3, 32\), not \(2, 32\)"):
        maple.load_official(authors_state(MaPLe(backbone, NAMES, depth=3, length=3)))
    with pytest.raises(ValueError, match=r"it lacks meta_net.linear1.weight"):
        CoCoOp(backbone, NAMES).load_official(authors_state(CoOp(backbone, NAMES)))
    with pytest.raises(ValueError, match=r"it lacks compound_prompts_text.0; .* \(and 4 more\)"):
        maple.load_official({"ctx": before[0]})
    assert all(torch.equal(a, b) for a, b in zip(maple.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"weight": torch.zeros(2)}, r"no prompt of CoOp, .* among its 1 entries \(weight, …\)"),
        ({}, "no prompt of CoOp"),
        ([torch.zeros(2)], "holds a dict of tensors, not a list"),
    ],
)
def test_foreign_files(content, said, backbone, tmp_path):
    path = tmp_path / "foreign.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=said):
        CoOp(backbone, NAMES).load_official(path)


def test_no_file(backbone, tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        CoOp(backbone, NAMES).load_official(tmp_path / "nothing.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="no checkpoint that can be read safely"):
        CoOp(backbone, NAMES).load_official(tmp_path / "text.pth")

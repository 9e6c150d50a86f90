"""The benchmark measures what it says: FLOPs as counted by hand, peaks as allocated, equal numbers both ways."""

import json

import open_clip
import pytest
import torch
from clips import clip, images, plain, tokenizer
from typer.testing import CliRunner

from vlprompt import bench as bench_module
from vlprompt import cli, flops, measure
from vlprompt.backbone import wrap
from vlprompt.bench import NAMES, How, apart, bench, check_rows, run_step, show
from vlprompt.engine import Prompts, encode_image, encode_text
from vlprompt.plain import image_features
from vlprompt.sentences import around_context, fill
from vlprompt.steps import ROWS, STEPS, Step, Work

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def result():
    return bench(clip(context=77), NAMES[:5], repeats=2, progress=False)


@pytest.fixture(scope="module")
def base():
    """ViT-B/16 without numbers: shapes alone."""
    with torch.device("meta"):
        model = open_clip.CLIP(
            512,
            {"layers": 12, "width": 768, "patch_size": 16, "image_size": 224},
            {"layers": 12, "width": 512, "heads": 8, "context_length": 77},
        )
    return wrap(model, tokenizer(77), None, name="ViT-B-16")


# ---- the arithmetic ----------------------------------------------------------------------------------------------


def test_flops_of_the_papers_way_by_hand(base):
    """24 d² a layer and token and 4 L d of attention; 5.96 GFLOP a class, 35.1 an image."""
    sentences = fill(base, "a photo of a {}.", NAMES[:3])
    _, text = flops.spent(lambda: encode_text(plain(base), sentences))
    by_hand = 12 * 77 * (24 * 512**2 + 4 * 77 * 512) + 2 * 512 * 512
    assert text == 3 * by_hand
    assert by_hand == pytest.approx(5.96e9, rel=1e-3)

    _, image = flops.spent(lambda: image_features(base.visual, torch.zeros(2, 3, 224, 224, device="meta"), ()))
    by_hand = 12 * 197 * (24 * 768**2 + 4 * 197 * 768) + 2 * 196 * 768 * 768 + 2 * 768 * 512
    assert image == 2 * by_hand
    assert by_hand == pytest.approx(35.1e9, rel=2e-3)


def test_flops_needed_by_hand(base):
    assert flops.image_needed(base, 1) == pytest.approx(35.1e9 * (1 - 0.069), rel=5e-3), (
        "only the class token in the last layer"
    )

    sentences = around_context(base, ["dog", "cat flap"], 4, None)  # 5 in front; then 3 and 4 of their own
    d, ends = 512, sentences.ends.tolist()
    tokens = 5 + sum(end - 4 for end in ends)
    pairs = 5 * 6 // 2 + sum(sum(range(6, end + 2)) for end in ends)  # who sees whom, a token itself included
    at_end = 2 * 20 * d**2 + 4 * d * sum(end + 1 for end in ends)
    by_hand = 11 * (24 * d**2 * tokens + 4 * d * pairs) + 4 * d**2 * tokens + at_end + 2 * 2 * d * d
    assert flops.text_needed(base, sentences) == by_hand

    # One context an image: what is in front of the context is still read once.
    extra = flops.text_needed(base, sentences, images=2) - by_hand
    start = 11 * (24 * d**2 + 4 * d) + 4 * d**2
    assert extra == by_hand - start


def test_flops_needed_backward_by_hand(base):
    sentences = around_context(base, ["cat"], 4, None)
    both, forward = (flops.text_needed(base, sentences, backward=back) for back in (True, False))
    d, own = 512, int(sentences.ends[0]) - 4
    pairs = sum(range(2, own + 6))
    inner = 10 * 24 * d**2 * (own + 4)  # layers 2 to 11, for all but the start token
    last = 4 * d**2 * (own + 4) + 20 * d**2
    first = 18 * d**2 * (own + 4) + 6 * d**2 * 4  # the words' own embeddings are not learned
    linear = inner + last + first + 2 * d * d
    assert 0 < both - forward - linear < 12 * 8 * d * pairs, "and at most twice the attention"

    fixed = fill(base, "a photo of a {}.", ["cat"])
    assert flops.text_needed(base, fixed, backward=True) == flops.text_needed(base, fixed), "nothing is learned"
    prompted = flops.image_needed(base, 1, depth=9, length=2, backward=True)
    assert 1.95 < prompted / flops.image_needed(base, 1, depth=9, length=2) < 2.01


@pytest.mark.parametrize("depth", [1, 3])
def test_the_engine_spends_what_is_needed(depth):
    backbone = clip(vision=(4, 128), text=(4, 128), embed=64, size=64, context=77)
    sentences = around_context(backbone, NAMES[:30], 4, None)
    text = tuple(torch.randn(4, 128, requires_grad=True) for _ in range(depth))
    vision = tuple(torch.randn(3, 128, requires_grad=True) for _ in range(depth))

    def ratio(call, needed):
        return needed / flops.spent(call)[1]

    read = flops.text_needed(backbone, sentences, depth=depth)
    assert 0.85 < ratio(lambda: encode_text(backbone, sentences, Prompts(text=text)), read) <= 1
    learned = flops.text_needed(backbone, sentences, depth=depth, backward=True)
    assert 0.85 < ratio(lambda: encode_text(backbone, sentences, Prompts(text=text)).sum().backward(), learned) <= 1
    seen = flops.image_needed(backbone, 2, depth=depth, length=3)
    shown = images(backbone)
    assert 0.85 < ratio(lambda: encode_image(backbone, shown, Prompts(vision=vision)), seen) <= 1
    learned = flops.image_needed(backbone, 2, depth=depth, length=3, backward=True)
    assert 0.85 < ratio(lambda: encode_image(backbone, shown, Prompts(vision=vision)).sum().backward(), learned) <= 1


# ---- the measurements --------------------------------------------------------------------------------------------


def test_peak_memory_is_what_is_held_at_once():
    def call():
        for _ in range(3):
            one = torch.ones(1000, 1000)
            one = one + 1
            del one
        return "done"

    done, peak = measure.peak_memory(call, CPU)
    assert done == "done"
    assert 8_000_000 <= peak < 8_001_000


def test_machine_names_what_decides():
    about = measure.machine(CPU)
    assert about["threads"] == torch.get_num_threads()
    assert about["torch"] == torch.__version__
    assert about["processor"]
    assert measure.matrix_rate(CPU, torch.float32) > 1e8


def test_every_row_agrees_and_has_its_figures(result):
    assert [row["row"] for row in result["rows"]] == list(ROWS)
    assert result["agree"]
    assert result == json.loads(json.dumps(result))
    for row in result["rows"]:
        slow, fast = row["plain"], row["engine"]
        assert row["apart"]["logits"] < 1e-4
        assert row["apart"].get("gradient", 0) < 1e-3
        assert ("gradient" in row["apart"]) == (row["row"] not in ("text", "cocoop-test", "test"))
        assert len(slow["seconds"]) == len(fast["seconds"]) == 2
        assert row["ratio"] == pytest.approx(slow["median"] / fast["median"])
        assert row["ratios"] == [one / other for one, other in zip(slow["seconds"], fast["seconds"], strict=True)]
        assert row["flops_ratio"] == pytest.approx(slow["flops"] / fast["flops"])
        assert row["flops_ratio"] > 1
        assert row["memory_ratio"] > 1 or row["row"] in ("cocoop-test", "test"), row["row"]
        assert slow["needed_of_flops"] < fast["needed_of_flops"] <= 1
        assert row["goal"] is row["memory_goal"] is None, "the goals are for ViT-B/16 and 100 classes"


def test_kept_features_are_not_computed_again(result):
    rows = {row["row"]: row for row in result["rows"]}
    assert rows["coop-kept"]["plain"]["seconds"] == rows["coop"]["plain"]["seconds"], "against the same"
    assert rows["coop-kept"]["engine"]["flops"] < rows["coop"]["engine"]["flops"]


def test_steps_serve_every_row_once():
    assert [row for served in STEPS for row in served] == list(ROWS)


def test_a_wrong_engine_is_found_out():
    class Bar:
        def update(self):
            pass

    right, wrong = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.001]])
    one = torch.eye(2)
    step = Step(Work(lambda: right @ one), {"text": Work(lambda: wrong @ one)}, {"text": 1.0})
    (row,) = run_step(step, ["text"], How(CPU, torch.float32, [False], "eager", 1), Bar())
    assert not row["agree"]
    assert row["apart"]["logits"] == pytest.approx(5e-4, rel=1e-3)
    gradients = apart((right, (right, right)), (right, (right, wrong)))
    assert gradients == {"logits": 0, "gradient": pytest.approx(5e-4, rel=1e-3)}


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # dynamo's own, where it breaks
def test_half_precision_and_compiled():
    result = bench(
        clip(context=77),
        NAMES[:3],
        rows=["text-gradient"],
        repeats=1,
        precision=torch.bfloat16,
        compiled=[False, True],
        backend="eager",
        progress=False,
    )
    assert result["precision"] == "bfloat16"
    assert [row["compiled"] for row in result["rows"]] == [False, True]
    assert result["agree"], "compared in float32"


def test_table(result, capsys):
    show(result)
    printed = capsys.readouterr().out
    for row in ROWS.values():
        assert row.about in printed
    assert "×" in printed


def test_bad_input():
    with pytest.raises(ValueError, match="no row is named 'mapel'; nearest: maple"):
        check_rows(["text", "mapel"])
    with pytest.raises(ValueError, match="repeats must be a whole number from 1"):
        bench(clip(context=77), NAMES[:3], repeats=0)


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr("vlprompt.load", lambda name, pretrained, device: clip(context=77, name=name))
    out = tmp_path / "results" / "here.json"
    ran = CliRunner().invoke(
        cli.app, ["bench", "--json", "--classes", "4", "--repeats", "1", "--rows", "text,cocoop", "--out", str(out)]
    )
    assert ran.exit_code == 0, ran.output
    printed = json.loads(ran.stdout)
    assert printed == json.loads(out.read_text())
    assert [row["row"] for row in printed["rows"]] == ["text", "cocoop"]
    assert (printed["backbone"], printed["classes"], printed["repeats"]) == ("ViT-B-16", 4, 1)

    monkeypatch.setattr(bench_module, "CLOSE", {"logits": 0.0, "gradient": 0.0})
    ran = CliRunner().invoke(cli.app, ["bench", "--classes", "4", "--repeats", "1", "--rows", "text"])
    assert ran.exit_code == 1
    assert "the two ways differ" in ran.stderr

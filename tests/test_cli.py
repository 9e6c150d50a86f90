"""The command line: one JSON object or a table on standard output, all else on standard error."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from vlprompt import cli
from vlprompt.methods import METHODS
from vlprompt.tasks import dataset_names, task_names

KEYS = {"method", "backbone", "task", "protocol", "shots", "seed", "n_params", "accuracies", "seconds"}


def vlprompt(*words: str):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.mark.parametrize("method", ["zero-shot", "linear-probe", "coop"])
def test_run_prints_one_json_object(method):
    done = vlprompt("run", method, "--task", "plants", "--shots", 1, "--seed", 2, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == KEYS
    assert (result["method"], result["task"], result["shots"], result["seed"]) == (method, "plants", 1, 2)
    assert set(result["seconds"]) == {"train", "eval"}
    scores = result["accuracies"]
    assert 0 <= scores["base"] <= 100
    if method == "linear-probe":
        assert scores["new"] is None
        assert scores["harmonic_mean"] is None
    else:
        wanted = 2 * scores["base"] * scores["new"] / (scores["base"] + scores["new"])
        assert scores["harmonic_mean"] == pytest.approx(wanted, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_on_the_small_clip_by_its_recipe_even_with_one_shot(method):
    done = vlprompt("run", method, "-t", "plants", "-k", 1, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["accuracies"]["base"] > 100 / 15  # better than chance among the fifteen base classes
    assert result["n_params"] > 0 or method == "zero-shot"


def test_the_same_seed_gives_the_same_result():
    once, again = (vlprompt("run", "coop", "-t", "plants", "-k", 1, "--epochs", 3, "--json").stdout for _ in range(2))
    assert json.loads(once)["accuracies"] == json.loads(again)["accuracies"]


def test_few_shot_tests_on_all_classes():
    result = json.loads(vlprompt("run", "zero-shot", "-t", "plants", "--protocol", "few-shot", "--json").stdout)
    assert list(result["accuracies"]) == ["all"]


def test_cross_dataset_tests_on_the_targets():
    words = [
        "run",
        "zero-shot",
        "-t",
        "plants",
        "--protocol",
        "cross-dataset",
        "--targets",
        "plants,transport",
        "--json",
    ]
    result = json.loads(vlprompt(*words).stdout)
    assert list(result["accuracies"]) == ["source", "transport"]


def test_a_run_that_was_finished_is_read_from_its_checkpoint(tmp_path):
    words = ["run", "coop", "-t", "plants", "-k", 1, "--epochs", 3, "--checkpoint", tmp_path / "run", "--json"]
    first, second = (json.loads(vlprompt(*words).stdout) for _ in range(2))
    assert first["accuracies"] == second["accuracies"]
    assert second["seconds"]["train"] < first["seconds"]["train"]
    other = vlprompt(*words, "--seed", 5)
    assert other.exit_code == 2
    assert "seed" in other.stderr


def test_lists_have_the_name_first():
    assert [line.split()[0] for line in vlprompt("methods").stdout.splitlines()] == list(METHODS)
    assert [line.split()[0] for line in vlprompt("tasks").stdout.splitlines()] == [*task_names(), *dataset_names()]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "coopp", "-t", "plants"], "no method is named 'coopp'; nearest: coop"),
        (["run", "coop", "-t", "plant"], "nearest: plants"),
        (["run", "coop", "-t", "plants", "--backbone", "ViT-B-61"], "nearest: ViT-B-16"),
        (["run", "coop", "-t", "plants", "--protocol", "base"], "nearest: base-to-new"),
        (["run", "coop", "-t", "plants", "--shots", "0"], "from 1 to 64, not 0"),
        (["run", "coop", "-t", "plants", "--seed", "-1"], "not -1"),
        (["run", "maple", "-t", "plants", "--depth", "13"], "depth"),
        (["run", "maple", "-t", "plants", "--length", "0"], "length"),
        (["run", "coop", "-t", "plants", "--length", "30"], "too long"),
        (["run", "coop", "-t", "plants", "--depth", "3"], "coop takes no depth"),
        (["run", "coop", "-t", "plants", "--epochs", "-3"], "epochs"),
        (["run", "coop", "-t", "plants", "--targets", "transport"], "--protocol cross-dataset"),
        (
            ["run", "coop", "-t", "plants", "--protocol", "cross-dataset", "--targets", "transprot"],
            "nearest: transport",
        ),
        (["run", "coop", "-t", "plants", "--lr", "nan"], "lr"),
        (["run", "coop", "-t", "plants", "--device", "tpu"], "device"),
        (["run", "coop", "-t", "plants", "--backbone", "ViT-B-32", "--pretrained", "openia"], "openai"),
        (["compare", "--methods", "coop,mapel"], "nearest: maple"),
        (["compare", "--seeds", "0"], "from 1 to 20"),
        (["pretrain", "--steps", "0"], "steps"),
    ],
)
def test_a_slip_is_one_sentence_before_any_work(words, says):
    done = vlprompt(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    sentence = done.stderr.splitlines()[-1]
    assert says in sentence
    assert "Traceback" not in done.stderr


def test_a_damaged_file_of_weights_is_named(monkeypatch, tmp_path):
    from vlprompt import backbone

    folder = backbone.data_file("tiny-clip")
    for name in ("config.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(backbone, "data_file", lambda name: tmp_path)
    done = vlprompt("run", "zero-shot", "-t", "plants")
    assert done.exit_code == 2
    assert "weights.safetensors is damaged" in done.stderr
    assert "vlprompt pretrain" in done.stderr


def test_a_hub_out_of_reach_is_one_sentence_with_the_offline_choice(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = vlprompt("run", "zero-shot", "-t", "plants", "--backbone", "ViT-B-16", "--pretrained", "laion2b_s34b_b88k")
    assert done.exit_code == 2
    assert "could not be fetched" in done.stderr
    assert "/path/to/file" in done.stderr


def test_an_interruption_is_said_in_one_sentence(monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt("stopped after 2 of 5 epochs")

    monkeypatch.setattr("vlprompt.protocols.fit", stop)
    done = vlprompt("run", "coop", "-t", "plants")
    assert done.exit_code == 130
    assert done.stderr.endswith("stopped after 2 of 5 epochs\n")


def test_compare_prints_a_table_and_saves_a_picture(tmp_path):
    picture = tmp_path / "new folder" / "picture.png"
    done = vlprompt("compare", "-t", "plants", "--methods", "zero-shot,linear-probe", "-k", 1, "--picture", picture)
    assert done.exit_code == 0, done.stderr
    assert "zero-shot" in done.stdout
    assert "harmonic mean" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in picture.parent.iterdir()] == [picture.name]


def test_python_m_does_the_same():
    module = subprocess.run([sys.executable, "-m", "vlprompt", "tasks"], capture_output=True, text=True)
    assert module.stdout == vlprompt("tasks").stdout
    assert module.stderr == ""


@pytest.mark.parametrize(("below", "said"), [("", "dtd/dtd/images"), ("nowhere", "there is no folder")])
def test_the_root_of_data_sets_is_an_option(tmp_path, below, said, monkeypatch):
    monkeypatch.setenv("VLPROMPT_DATASETS", "")  # the option sets it, for the workers too
    done = vlprompt("run", "coop", "-t", "dtd", "--root", tmp_path / below)
    assert done.exit_code == 2
    assert said in done.stderr.replace("\n", "")


@pytest.mark.parametrize("own", [True, False])
def test_lab_notes_progress_in_the_copy_or_in_a_folder_of_ones_own(own, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("subprocess.run", lambda words, env, **more: seen.update(words=words, env=env))
    monkeypatch.setattr("vlprompt.progress.own_workspace", lambda: tmp_path / "mine")
    (tmp_path / "00_start.ipynb").write_text("{}")
    if own:
        (tmp_path / "progress.jsonl").write_text('{"what": "mine"}\n')
    done = vlprompt("lab", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert seen["words"][-1] == str(tmp_path / "00_start.ipynb")
    workspace = tmp_path if own else tmp_path / "mine"
    assert seen["env"]["VLPROMPT_WORKSPACE"] == str(workspace)
    assert (workspace / "progress.jsonl").is_file()


def test_lab_without_lessons_says_what_it_wants(tmp_path):
    done = vlprompt("lab", tmp_path)
    assert done.exit_code == 2
    assert "the lessons are not in" in done.stderr

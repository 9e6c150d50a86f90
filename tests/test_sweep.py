"""Sweeps: what is run, and what is left when one is stopped."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from vlprompt import cli
from vlprompt.grid import read_sweep
from vlprompt.points import COLUMNS, Point
from vlprompt.store import Store, as_frame, read_table
from vlprompt.sweep import run_points, stamp, unfinished
from vlprompt.workers import Failure

POINTS = [Point("coop", task, seed=seed) for task in ("plants", "transport") for seed in (1, 2, 3)]
BAD = POINTS[3]
SECONDS = ["train_seconds", "eval_seconds"]


class Runner:
    """Stands in for `run_point`: rows that depend on the point alone. Remembers what it ran."""

    def __init__(self, weights: str = "aa", fails=(), stops=()):
        self.weights, self.fails, self.stops, self.ran = weights, fails, stops, []

    def __call__(self, point: Point) -> list[dict]:
        self.ran.append(point)
        if point in self.fails:
            raise FloatingPointError("the loss is not finite")
        if point in self.stops:
            raise KeyboardInterrupt("in the middle")
        row = {name: getattr(point, name, 1) for name in COLUMNS} | {"options": "{}", "weights": self.weights}
        score = int(point.key, 16) % 100
        return [row | {"split": "base", "accuracy": score}, row | {"split": "new", "accuracy": score / 3}]


def sweep(folder: Path, run: Runner, weights: str = "aa", points=POINTS) -> pd.DataFrame:
    return run_points(points, Store(folder), jobs=1, run=run, stamp=lambda point: {"weights": weights})


def vlprompt(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_each_point_is_run_once_and_the_table_is_in_their_order(tmp_path):
    run, again = Runner(), Runner()
    table = sweep(tmp_path, run, points=[*POINTS, POINTS[0]])
    assert run.ran == POINTS
    assert table["task"].tolist() == [p.task for p in POINTS for _ in range(2)]
    assert table["seed"].tolist() == [p.seed for p in POINTS for _ in range(2)]
    pd.testing.assert_frame_equal(table, as_frame([row for p in POINTS for row in Runner()(p)]))
    backwards = sweep(tmp_path, again, points=POINTS[::-1])
    assert again.ran == []
    assert backwards["seed"].tolist() == table["seed"].tolist()[::-1]


@settings(max_examples=20)
@given(stopped=st.lists(st.sampled_from(POINTS), unique=True, max_size=4))
def test_a_sweep_that_is_stopped_goes_on_with_the_same_table(stopped, tmp_path_factory):
    whole = sweep(tmp_path_factory.mktemp("whole"), Runner())
    folder, ran = tmp_path_factory.mktemp("stopped"), []
    for point in sorted(stopped, key=POINTS.index):
        run = Runner(stops=[point])
        done = POINTS.index(point)
        with pytest.raises(KeyboardInterrupt, match=f"stopped: {done} of 6 points are in .*; the same command goes on"):
            sweep(folder, run)
        ran += run.ran[:-1]
    last = Runner()
    pd.testing.assert_frame_equal(sweep(folder, last), whole)
    assert ran + last.ran == POINTS  # nothing twice, but for those in work


def test_a_point_that_fails_is_recorded_and_tried_again_next_time(tmp_path, capsys):
    table = sweep(tmp_path, Runner(fails=[BAD]))
    assert len(table) == 10
    failure = Store(tmp_path).failures()[BAD]
    assert failure.error == "FloatingPointError: the loss is not finite"
    assert "raise FloatingPointError" in failure.trace
    assert "failed: method coop, task transport: FloatingPointError: the loss is not finite" in capsys.readouterr().err
    again = Runner()
    assert len(sweep(tmp_path, again)) == 12
    assert again.ran == [BAD]
    assert Store(tmp_path).failures() == {}


def test_a_damaged_file_is_named_and_its_point_run_again(tmp_path, capsys):
    store, run = Store(tmp_path), Runner()
    table = sweep(tmp_path, Runner())
    path = store.path(BAD)
    path.write_bytes(path.read_bytes()[:-40])
    pd.testing.assert_frame_equal(sweep(tmp_path, run), table)
    assert run.ran == [BAD]
    assert f"{path} is damaged" in capsys.readouterr().err


def test_results_of_other_weights_are_named_and_made_anew(tmp_path, capsys):
    sweep(tmp_path, Runner("aa"), "aa", POINTS[:2])
    run = Runner("bb", fails=[POINTS[1]])
    table = sweep(tmp_path, run, "bb")
    assert run.ran == POINTS
    assert "2 stored results have weights aa, not bb: run again" in capsys.readouterr().err
    assert set(table["weights"]) == {"bb"}
    assert len(table) == 10  # none of the other weights for the one that failed


def test_a_worker_with_other_weights_gives_no_result(tmp_path):
    assert sweep(tmp_path, Runner("bb"), "aa").empty
    assert set(Store(tmp_path).failures().values()) == {Failure("its worker has weights bb, not aa")}


def test_the_stamp_tells_weights_and_recipes_apart(monkeypatch):
    point = POINTS[0]
    assert stamp(point) == stamp(replace(point, seed=7))
    assert stamp(point)["recipe"] != stamp(replace(point, changes=(("epochs", 2),)))["recipe"]
    monkeypatch.setattr("vlprompt.sweep.load", lambda *names, device: SimpleNamespace(fingerprint=" ".join(names)))
    assert stamp(replace(point, backbone="one", pretrained="two"))["weights"] == "one two"


def test_every_worker_computes_on_one_thread_and_this_process_as_before(tmp_path):
    import torch

    before, seen = torch.get_num_threads(), []

    def run(point):
        seen.append(torch.get_num_threads())
        return Runner()(point)

    try:
        torch.set_num_threads(2)
        sweep(tmp_path, run)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--table", "rows.txt"], "a .csv or a .parquet file"),
        (["--jobs", 0], "jobs must be a whole number from 1"),
        (["--jobs", 2, "--cluster", "tcp://127.0.0.1:9"], "--jobs is for this machine"),
        (["--device", "tpu"], "device"),
        (["--out", __file__], "is a file, but results go to a folder"),
    ],
)
def test_a_slip_at_the_command_line_is_one_sentence(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = vlprompt("sweep", write(tmp_path, 'methods = "zero-shot"\ntasks = "plants"'), *words)
    assert done.exit_code == 2
    assert says in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.toml"]


def test_a_missing_file_is_named(tmp_path):
    assert "there is no file" in vlprompt("sweep", tmp_path / "none.toml").stderr


GRID = """
tasks = "plants"
shots = 1
[[grid]]
methods = "zero-shot"
[[grid]]
methods = "coop"
seeds = [1, 2, 3, 4]
changes = { epochs = 2 }
"""


def test_the_command_runs_counts_and_writes_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, GRID.replace("[1, 2, 3, 4]", "[1]"))
    assert vlprompt("sweep", file, "--dry-run").stdout == "2 points, 0 of them done in runs/sweep\n"
    assert not Path("runs").exists()
    done = vlprompt("sweep", file, "--jobs", 1, "--table", "new/rows.parquet")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "2 of 2 points done, 0 failed; results in runs/sweep\n"
    assert "2/2" in done.stderr  # the progress bar
    table = read_table("new/rows.parquet")
    assert table["method"].tolist() == ["zero-shot", "zero-shot", "coop", "coop"]
    assert table["split"].tolist() == ["base", "new"] * 2
    assert table["accuracy"].between(0, 100).all()
    assert json.loads(table["recipe"].iloc[-1])["epochs"] == 2
    assert vlprompt("sweep", file, "--dry-run").stdout == "2 points, 2 of them done in runs/sweep\n"
    assert unfinished(read_sweep(file), Store("runs/sweep")) == []


def test_the_command_says_what_failed_and_goes_on_next_time(tmp_path, monkeypatch):
    fails = [replace(point, seed=2) for point in read_sweep(write(tmp_path, GRID)) if point.method == "coop"]
    words = ["sweep", tmp_path / "sweep.toml", "--jobs", 1, "--out", tmp_path / "out"]
    run = Runner(fails=fails)
    monkeypatch.setattr("vlprompt.points.run_point", lambda point, device: [r | stamp(point) for r in run(point)])
    done = vlprompt(*words)
    assert done.exit_code == 1
    assert done.stdout == f"4 of 5 points done, 1 failed; results in {tmp_path / 'out'}\n"
    assert "FloatingPointError: the loss is not finite" in done.stderr
    assert f"the errors are in {tmp_path / 'out' / 'failed'}" in done.stderr
    run.fails = ()
    done = vlprompt(*words)
    assert done.exit_code == 0, done.stderr
    assert run.ran[5:] == fails[:1]


def test_ctrl_c_is_one_sentence(tmp_path, monkeypatch):
    run = Runner(stops=read_sweep(write(tmp_path, GRID))[3:])
    monkeypatch.setattr("vlprompt.points.run_point", lambda point, device: [r | stamp(point) for r in run(point)])
    done = vlprompt("sweep", tmp_path / "sweep.toml", "--jobs", 1, "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert done.stdout == ""
    end = f"stopped: 3 of 5 points are in {tmp_path / 'out'}; the same command goes on\n"
    assert done.stderr.endswith(end)


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_with_the_same_numbers(tmp_path):
    file, out = write(tmp_path, GRID), tmp_path / "out"
    command = [sys.executable, "-m", "vlprompt", "sweep", str(file), "--out", str(out), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as killed:
        while killed.poll() is None and len(list(out.glob("done/*.json"))) < 2:
            time.sleep(0.02)
        killed.kill()
        _, errors = killed.communicate()
    assert killed.returncode == -9, errors
    first = {path: path.stat().st_mtime_ns for path in out.glob("done/*.json")}
    assert 2 <= len(first) < 5
    done = vlprompt("sweep", file, "--out", out, "--jobs", 1, "--table", tmp_path / "killed.csv")
    assert done.exit_code == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in first} == first  # not run again
    done = vlprompt("sweep", file, "--out", tmp_path / "other", "--jobs", 1, "--table", tmp_path / "whole.csv")
    assert done.exit_code == 0, done.stderr
    killed, whole = (read_table(tmp_path / name).drop(columns=SECONDS) for name in ("killed.csv", "whole.csv"))
    assert len(whole) == 10
    pd.testing.assert_frame_equal(killed, whole)

"""Progress is kept in a workspace and nowhere else, whatever happens to its file."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import school
from typer.testing import CliRunner

from vlprompt import checks, progress
from vlprompt.cli import app


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A student's copy with one lesson, in which the student works."""
    checked = [
        school.exercise(n, name, "return x", check=f"checks.{name}({name})")
        for n, name in enumerate(("read_end", "shifted"), start=1)
    ]
    school.write(school.lesson(*checked, school.by_hand(3)), tmp_path / "02_clip_zero_shot.ipynb")
    progress.start(tmp_path)
    monkeypatch.delenv("VLPROMPT_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def say(*words):
    return CliRunner().invoke(app, ["progress", *map(str, words)])


def test_a_check_that_passes_is_recorded_with_its_time(workspace, capsys):
    before = datetime.now().astimezone().replace(microsecond=0)
    checks.shifted(lambda: {"logits": True, "probabilities": False, "accuracy": False})
    assert capsys.readouterr() == ("passed: shifted\n", "")
    assert list(progress.passed(workspace)) == ["shifted"]
    assert before <= progress.passed(workspace)["shifted"] <= datetime.now().astimezone()


def test_a_check_that_fails_is_not_recorded(workspace):
    with pytest.raises(AssertionError):
        checks.shifted(lambda: {"logits": False, "probabilities": False, "accuracy": False})
    assert progress.passed(workspace) == {}


def test_it_is_recorded_from_a_folder_inside_and_once(workspace, monkeypatch):
    (workspace / "inside" / "deep").mkdir(parents=True)
    monkeypatch.chdir(workspace / "inside" / "deep")
    for _ in range(3):
        progress.record("shifted")
    assert len((workspace / progress.FILE).read_text().splitlines()) == 2  # the head, and one check


def test_nothing_is_written_where_there_is_no_workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("VLPROMPT_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    progress.record("shifted")
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_a_workspace_or_none(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("VLPROMPT_WORKSPACE", "")
    progress.record("shifted")
    assert progress.passed(workspace) == {}
    monkeypatch.setenv("VLPROMPT_WORKSPACE", str(tmp_path / "elsewhere"))
    progress.record("shifted")
    assert list(progress.passed(tmp_path / "elsewhere")) == ["shifted"]


def test_the_checkout_is_no_workspace():
    """So that nbval and execute.py, which run in its notebooks' folder, leave nothing there."""
    notebooks = Path(__file__).parent.parent / "notebooks"
    assert not any((folder / progress.FILE).exists() for folder in (notebooks, *notebooks.parents))


def test_a_file_that_cannot_be_written_costs_a_line_and_not_the_exercise(workspace, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    checks.passed("shifted")
    said = capsys.readouterr()
    assert said.out == "passed: shifted\n"
    assert said.err.startswith("progress is not kept, since ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("damage", ["{", '{"check": "shifted"}', '{"check": 3, "passed": "yesterday"}', "[1]", "\x00"])
def test_a_damaged_file_gets_one_sentence_that_names_the_line(workspace, damage):
    progress.record("shifted")
    file = workspace / progress.FILE
    file.write_text(file.read_text() + damage)  # and no end of line, as after a crash
    progress.record("read_end")  # is not lost
    done = say()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("vlprompt: line 3 of ")
    assert done.stderr.endswith("is damaged; delete this line, the other lines are good\n")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n")
    assert list(progress.passed(workspace)) == ["shifted", "read_end"]


def test_two_notebooks_at_once_lose_nothing(workspace):
    names = [[f"{who}_{n}" for n in range(50)] for who in ("a", "b")]
    code = "import sys; from vlprompt.progress import record; [record(name) for name in sys.argv[1:]]"
    processes = [subprocess.Popen([sys.executable, "-c", code, *mine], cwd=workspace) for mine in names]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(progress.passed(workspace)) == sorted(names[0] + names[1])


def test_the_command_lists_lessons_and_what_comes_next(workspace):
    assert say().stdout == "02_clip_zero_shot            0 of 2                      next: exercise 1, The read_end\n"
    progress.record("read_end")
    assert "1 of 2   2" in say().stdout
    assert "next: exercise 2, The shifted" in say().stdout
    progress.record("shifted")
    assert "2 of 2" in say(workspace).stdout
    assert "all passed" in say().stdout
    times = json.loads(say("--json").stdout)
    assert list(times) == ["02_clip_zero_shot"]
    assert times["02_clip_zero_shot"]["1"] == progress.passed(workspace)["read_end"].isoformat()
    assert times["02_clip_zero_shot"]["3"] is None


def test_elsewhere_the_course_itself_is_listed(tmp_path, monkeypatch):
    monkeypatch.delenv("VLPROMPT_WORKSPACE", raising=False)
    monkeypatch.setattr(progress, "own_workspace", lambda: tmp_path / "own")
    monkeypatch.chdir(tmp_path)
    lines = say().stdout.splitlines()
    assert lines[0].startswith("00_start ")
    assert "0 of 3" in lines[0]


def test_a_folder_that_is_not_there(tmp_path):
    done = say(tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr

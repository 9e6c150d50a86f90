"""What reaches a hand-in and what does not, and what the command says before any hand-in is run."""

from pathlib import Path

import pytest
import school
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vlprompt.classroom import grade as grading
from vlprompt.classroom.box import Box, namespaces_work
from vlprompt.classroom.course import environment, hidden_folders, safe_name
from vlprompt.cli import app
from vlprompt.paths import PACKAGE


def vlprompt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@given(st.lists(st.text(min_size=1), unique=True, max_size=5))
def test_names_of_folders_are_plain_and_differ(students):
    names = [safe_name(student) for student in students]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and "/" not in name and "." not in name and "*" not in name for name in names)


def test_secrets_do_not_reach_a_hand_in(monkeypatch, tmp_path):
    monkeypatch.setenv("API_TOKEN", "s3cret")
    env = environment(tmp_path)
    assert "s3cret" not in env.values()
    assert env["HOME"] == str(tmp_path)
    assert env["VLPROMPT_WORKSPACE"] == ""
    assert "PATH" in env


def test_solutions_are_hidden_but_not_what_the_box_needs(tmp_path):
    hidden = hidden_folders(tmp_path, PACKAGE.parent)
    assert str(tmp_path) in hidden
    assert str(PACKAGE.parent / "notebooks") in hidden
    assert str(PACKAGE.parent) not in hidden  # it holds the package


def test_whether_namespaces_work_is_tried(tmp_path, monkeypatch):
    assert namespaces_work(tmp_path) in (True, False)
    monkeypatch.setattr(Box, "command", lambda self, *_: ["false"])
    assert namespaces_work(tmp_path) is False
    monkeypatch.setattr(Box, "command", lambda self, *_: [str(tmp_path / "no such program")])
    assert namespaces_work(tmp_path) is False


@pytest.fixture
def school_year(tmp_path):
    """A teacher's notebooks, and one hand-in."""
    school.write(school.small_lesson(), tmp_path / "teacher" / "00_start.ipynb")
    school.write(school.small_lesson(), tmp_path / "in" / "anna" / "00_start.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", 0], "jobs must be a whole number from 1 to 64, not 0"),
        (["--memory", 0], "memory must be"),
        (["--seconds", -3], "seconds must be"),
        (["--lesson", "07_maple"], "no lesson is named '07_maple'; there are 00_start"),
        (["--out", "in/here"], "cannot lie in"),
        (["--notebooks", "in"], "no lesson is in"),
    ],
)
def test_slips_are_one_sentence_before_any_work(school_year, monkeypatch, words, said):
    monkeypatch.chdir(school_year)
    before = sorted(school_year.rglob("*"))
    done = vlprompt("classroom", "grade", "in", "--notebooks", "teacher", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]
    assert sorted(school_year.rglob("*")) == before


def test_a_folder_of_hand_ins_that_is_not_there(tmp_path):
    done = vlprompt("classroom", "grade", tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr


def test_windows_is_told_what_would_do(school_year, monkeypatch):
    monkeypatch.setattr(grading.sys, "platform", "win32")
    with pytest.raises(ValueError, match="WSL"):
        grading.grade(school_year / "in", school_year / "out", school_year / "teacher")


def test_with_a_lesson_named_each_student_gets_its_rows(school_year):
    (school_year / "in" / "ben").mkdir()
    school.write(school.small_lesson(), school_year / "in" / "ben" / "02_clip_zero_shot.ipynb")
    found = grading.wanted(school_year / "in", ["00_start", "02_clip_zero_shot"], ["00_start"])
    assert [(each.student, each.lesson, each.mark) for each in found if each.problem] == [
        ("ben", "00_start", "missing")
    ]
    assert len(found) == 2


def test_what_was_kept_counts_only_for_the_same_hand_in(tmp_path):
    kept = tmp_path / "kept.json"
    assert grading.kept_rows(kept, "a") is None
    for damage in ("", "{", "[]", '{"digest": "a"}', '{"digest": "a", "rows": [{"student": 1}]}'):
        kept.write_text(damage)
        assert grading.kept_rows(kept, "a") is None
    kept.write_text('{"digest": "a", "rows": []}')
    assert grading.kept_rows(kept, "b") is None
    assert grading.kept_rows(kept, "a") == []


def test_a_note_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "note").symlink_to(tmp_path / "secret")
    assert grading.first_line(tmp_path / "note") == ""
    assert grading.first_line(tmp_path / "secret") == "s3cret"
    assert grading.first_line(Path(tmp_path, "nothing")) == ""

"""Hand-ins are graded by nbgrader, each in a box: what one does harms no other, and no file of the teacher's."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import school

from vlprompt.classroom import build
from vlprompt.classroom.box import namespaces_work
from vlprompt.classroom.course import Limits
from vlprompt.classroom.grade import grade

LIMITS = Limits(seconds=240, cell_seconds=20, memory=2 * 2**30)  # generous, since the machine may be busy

TEACHER = school.lesson(
    school.exercise(1, "single", "return x * 1"),
    school.exercise(2, "double", "return x + x", 2),
    school.exercise(3, "triple", "return x + x + x"),
    school.exercise(4, "fourfold", "return 4 * x"),
    school.exercise(5, "fivefold", "return 5 * x"),
    school.by_hand(6),
)

# It prints without end, and cannot be interrupted.
DEAF = """try:
    while True:
        print("x" * 10**6)
except BaseException:
    while True:
        pass"""

# What an evil hand-in tries; it tells of what it could do by an error.
EVIL = """import os, socket, subprocess
def tried(what):
    try:
        return what()
    except OSError:
        return None
told = [
    tried(lambda: open(os.path.join({folder!r}, "mine"), "w")),
    tried(lambda: os.listdir({folder!r})),
    tried(lambda: [name for name in os.listdir("/proc") if name.isdigit() and int(name) == {pid}]),
    tried(lambda: socket.create_connection(("127.0.0.1", {port}), 2)),
    tried(lambda: subprocess.run(["mount", "-o", "remount,rw", "/"], capture_output=True).returncode == 0),
    os.environ.get("API_TOKEN"),
]
if any(told):
    raise RuntimeError("it could: " + str(told))
open("notes", "w").write("in its own folder it may write")
return 5 * x"""


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The folder of the teacher's notebooks."""
    folder = tmp_path_factory.mktemp("teacher")
    school.write(TEACHER, folder / "00_start.ipynb")
    return folder


@pytest.fixture(scope="module")
def port():
    """A port of this machine that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, teacher, port):
    """Hand-ins of all sorts, in the order of their names."""
    folder = tmp_path_factory.mktemp("handed-in")
    evil = EVIL.format(folder=str(teacher), pid=os.getpid(), port=port)
    hands = {
        "anna": school.answered(TEACHER),
        "bad": school.answered(
            TEACHER,
            ex1="while True:\n    pass",
            ex2="return len(bytearray(2**40))",
            ex3="import urllib.request\nreturn urllib.request.urlopen('http://example.org')",
            ex4="return 5",
            ex5=evil,
        ),
        "crash": school.answered(TEACHER, ex2="import os\nos._exit(1)"),
        "deaf": school.answered(TEACHER, ex2=DEAF),
        "edits": school.answered(TEACHER, ex1="return 5", ex2="raise SystemExit", ex3="return 5"),
    }
    school.cell(hands["edits"], "ex1-check").source = 'print("passed: single")'
    hands["edits"].cells = [c for c in hands["edits"].cells if c.id not in ("c-3", "a-4")]
    for name, notebook in hands.items():
        school.write(notebook, folder / name / "00_start.ipynb")
    for name, content in (("no-json", "no json"), ("old", '{"nbformat": 3, "worksheets": []}')):
        (folder / name).mkdir()
        (folder / name / "00_start.ipynb").write_text(content)
    (folder / "nothing").mkdir()
    return folder


@pytest.fixture(scope="module")
def graded(handed_in, teacher, tmp_path_factory):
    """The rows of all, by student and exercise; the folder of results; and what was said."""
    out, said = tmp_path_factory.mktemp("out"), []
    os.environ["API_TOKEN"] = "s3cret"
    try:
        rows = grade(handed_in, out, teacher, LIMITS, jobs=2, say=said.append)
    finally:
        del os.environ["API_TOKEN"]
    return {(row.student, row.exercise): row for row in rows}, out, said


def marks_of(graded, student):
    return {each: row.mark for (who, each), row in graded[0].items() if who == student}


@pytest.mark.slow
class TestAllSorts:
    def test_right_answers_pass(self, graded):
        rows = [row for (who, _), row in graded[0].items() if who == "anna"]
        assert [(row.points, row.max, row.mark) for row in rows] == [
            (1, 1, "passed"), (2, 2, "passed"), (1, 1, "passed"), (1, 1, "passed"), (1, 1, "passed"), (0, 3, "by hand"),
        ]  # fmt: skip

    def test_loops_memory_network_and_mistakes_get_their_marks_and_harm_no_other_exercise(self, graded):
        assert list(marks_of(graded, "bad").values())[:4] == ["too slow", "too much memory", "network", "failed"]
        assert graded[0]["bad", "1"].message.startswith("still running after 20 seconds")
        assert "example.org:80" in graded[0]["bad", "3"].message
        assert graded[0]["bad", "4"].message.startswith("fourfold: not of 4")

    def test_a_box_gives_nothing_away(self, graded):
        row = graded[0]["bad", "5"]
        if not namespaces_work(Path(graded[1], "try")):
            pytest.skip("this system grants no namespaces")
        assert row.mark == "passed", row.message

    def test_a_kernel_that_dies_keeps_what_came_before(self, graded):
        assert list(marks_of(graded, "crash").values())[:4] == ["passed", "crashed", "crashed", "crashed"]
        assert graded[0]["crash", "2"].message == "the kernel died in this cell"
        assert "an earlier cell" in graded[0]["crash", "3"].message

    def test_a_flood_that_cannot_be_interrupted(self, graded):
        first, second, third = list(marks_of(graded, "deaf").values())[:3]
        assert (first, second) == ("passed", "too slow")
        assert third in ("too slow", "failed")  # its kernel is ended, when depends on the machine: nothing counts after

    def test_checks_that_were_changed_or_deleted_are_the_teachers(self, graded):
        rows, _, _ = graded
        assert (rows["edits", "1"].points, rows["edits", "1"].mark) == (0, "failed")
        assert "the check was changed in the hand-in" in rows["edits", "1"].message
        assert (rows["edits", "2"].points, rows["edits", "2"].message) == (0, "SystemExit")
        assert (rows["edits", "3"].points, rows["edits", "3"].mark) == (0, "failed")
        assert "the check was missing" in rows["edits", "3"].message
        assert "its answer cell is missing" in rows["edits", "4"].message
        assert rows["edits", "5"].mark == "passed"

    def test_what_is_no_notebook_says_so(self, graded):
        assert set(marks_of(graded, "no-json").values()) == {"not a notebook"}
        assert "no JSON" in graded[0]["no-json", "1"].message
        assert "nbformat 3" in graded[0]["old", "1"].message
        assert graded[0]["nothing", ""].mark == "unclear"

    def test_the_table_and_nbgraders_gradebook_say_the_same(self, graded):
        from nbgrader.api import Gradebook

        rows, out, said = graded
        with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        assert len(table) == len(rows)
        assert list(table[0]) == ["student", "lesson", "exercise", "points", "max", "mark", "message"]
        assert len(said) == 1 + 8
        with Gradebook(f"sqlite:///{out / build.GRADEBOOK}") as book:
            for student in ("anna", "bad", "crash", "deaf", "edits"):
                ours = sum(row.points for (who, _), row in rows.items() if who == student)
                assert book.find_submission("00_start", student).score == ours
            book.engine.dispose()

    def test_a_second_run_keeps_what_has_not_changed(self, graded, handed_in, teacher, monkeypatch):
        def run_again(*_):
            raise AssertionError("a hand-in was run again")

        before = (graded[1] / "grades.csv").read_bytes()
        monkeypatch.setattr("vlprompt.classroom.grade.run", run_again)
        grade(handed_in, graded[1], teacher, LIMITS)
        assert (graded[1] / "grades.csv").read_bytes() == before
        with pytest.raises(AssertionError, match="run again"):
            grade(handed_in, graded[1], teacher, Limits(seconds=241, cell_seconds=20, memory=2 * 2**30))

    def test_a_lesson_with_other_exercises_needs_another_folder(self, graded, handed_in, teacher, tmp_path):
        before = (graded[1] / "grades.csv").read_bytes()
        school.write(school.small_lesson(), tmp_path / "00_start.ipynb")
        with pytest.raises(ValueError, match="name a new folder"):
            grade(handed_in, graded[1], tmp_path, LIMITS)
        grade(handed_in, graded[1], teacher, LIMITS)
        assert (graded[1] / "grades.csv").read_bytes() == before


# ---- one by one -----------------------------------------------------------------------------------

SHIFTED = 'return {"logits": True, "probabilities": False, "accuracy": False}'


def with_checks():
    """A lesson that uses the course's own checks."""
    notebook = school.lesson(school.exercise(1, "shifted", SHIFTED, check="checks.shifted(shifted)"))
    school.cell(notebook, "ex1-answer").source = school.cell(notebook, "ex1-answer").source.replace("(x)", "()")
    notebook.cells[1].source = "from vlprompt import checks"
    return notebook


@pytest.mark.slow
def test_checks_that_a_hand_in_made_toothless_bite_again(tmp_path):
    own = with_checks()
    school.write(own, tmp_path / "teacher" / "00_start.ipynb")
    cheats = {
        "patch": 'checks.shifted = lambda function: print("passed: shifted")',
        "mock": "from unittest.mock import MagicMock\nchecks = MagicMock()",
        "module": 'import sys\nsys.modules["vlprompt.checks"] = checks = type(sys)("vlprompt.checks")\n'
        "checks.shifted = lambda function: None",
    }
    for name, line in cheats.items():
        notebook = school.answered(own, ex1="return None")
        notebook.cells.insert(2, school.new_code_cell(line, id="cheat"))
        school.write(notebook, tmp_path / "in" / name / "00_start.ipynb")
    school.write(own, tmp_path / "in" / "right" / "00_start.ipynb")
    rows = grade(tmp_path / "in", tmp_path / "out", tmp_path / "teacher", LIMITS)
    assert {row.student: row.mark for row in rows} == {
        "patch": "failed", "mock": "failed", "module": "failed", "right": "passed",
    }  # fmt: skip
    assert all("shifted returns nothing" in row.message for row in rows if row.mark == "failed")


@pytest.mark.slow
def test_without_namespaces_python_itself_refuses(tmp_path):
    own = school.lesson(
        school.exercise(1, "single", "return x * 1"),
        school.exercise(2, "double", "return x + x"),
        school.exercise(3, "triple", "return x + x + x"),
        school.exercise(4, "fourfold", "return 4 * x"),
    )
    school.write(own, tmp_path / "teacher" / "00_start.ipynb")
    notebook = school.answered(
        own,
        ex1="import socket\nreturn socket.create_connection(('127.0.0.1', 9), 2)",
        ex2="import subprocess\nreturn subprocess.run(['true'])",
        ex3="import socket, tempfile\nwith socket.socketpair()[0], tempfile.TemporaryFile():\n    return 3 * x",
        ex4="while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    )
    school.write(notebook, tmp_path / "in" / "anna-00_start.ipynb")
    limits = Limits(seconds=60, cell_seconds=1000, memory=2 * 2**30)  # the whole time is up, not a cell's
    said = []
    rows = grade(tmp_path / "in", tmp_path / "out", tmp_path / "teacher", limits, namespaces=False, say=said.append)
    assert [row.mark for row in rows] == ["network", "failed", "passed", "too slow"]
    assert "127.0.0.1:9" in rows[0].message
    assert "no other programs while a hand-in is graded" in rows[1].message
    assert "its time was up" in rows[3].message
    assert said[0].startswith("this system grants no namespaces")


def boxes(folder: Path) -> list[str]:
    """The command lines of the boxes that hide a folder."""
    lines = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return [line for line in lines if "box.py" in line and str(folder) in line]


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process_and_goes_on(tmp_path):
    own = school.small_lesson()
    school.write(own, tmp_path / "teacher" / "00_start.ipynb")
    school.write(own, tmp_path / "in" / "anna-00_start.ipynb")
    school.write(school.answered(own, ex1="import time\ntime.sleep(500)"), tmp_path / "in" / "ben-00_start.ipynb")
    words = ["classroom", "grade", str(tmp_path / "in"), "--notebooks", str(tmp_path / "teacher")]
    process = subprocess.Popen([sys.executable, "-m", "vlprompt", *words], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("[1/2] anna"):
            break
    out = tmp_path / "in-graded"
    wait_for(lambda: boxes(tmp_path))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.stderr.close()
    wait_for(lambda: not boxes(tmp_path))
    assert [path.name for path in (out / "results").iterdir()] == ["anna-00_start.json"]
    assert not (out / "grades.csv").exists()
    school.write(own, tmp_path / "in" / "ben-00_start.ipynb")
    rows = grade(tmp_path / "in", out, tmp_path / "teacher")
    assert [row.mark for row in rows] == ["passed", "passed", "by hand"] * 2
    assert (out / "grades.csv").exists()

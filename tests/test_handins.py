"""Hand-ins are found and read without trust, the teacher's checks come back into them, and each gets a clear mark."""

import csv
import json
import random

import pytest
import school
from hypothesis import given, settings
from hypothesis import strategies as st

from vlprompt.classroom import handins, lessons, marks
from vlprompt.classroom.handins import Cell, NotANotebookError
from vlprompt.classroom.marks import Row
from vlprompt.classroom.restore import restore

LESSONS = ["00_start", "02_clip_zero_shot"]
COPY = school.small_lesson()  # as far as names and frames go, the students' copy
CHECKS = {key: school.cell(COPY, key).source for key in ("ex1-check", "ex2-check")}


# ---- finding --------------------------------------------------------------------------------------


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def found(folder):
    return {(each.student, each.lesson): (each.path.name, each.problem) for each in handins.find(folder, LESSONS)}


def test_a_sub_folder_for_each_student_at_any_depth(tmp_path):
    touch(tmp_path, "anna/00_start.ipynb", "anna/more/02_clip_zero_shot (1).ipynb", "ben/work/00_start.ipynb")
    touch(tmp_path, "anna/.ipynb_checkpoints/00_start.ipynb", "ben/notes.txt", ".git/x", "__MACOSX/00_start.ipynb")
    assert found(tmp_path) == {
        ("anna", "00_start"): ("00_start.ipynb", None),
        ("anna", "02_clip_zero_shot"): ("02_clip_zero_shot (1).ipynb", None),
        ("ben", "00_start"): ("00_start.ipynb", None),
    }


def test_files_that_are_named_for_their_student(tmp_path):
    touch(tmp_path, "anna-00_start.ipynb", "ben_s 02_clip_zero_shot.ipynb", "grades.xlsx")
    assert set(found(tmp_path)) == {("anna", "00_start"), ("ben_s", "02_clip_zero_shot")}


def test_a_student_who_is_there_in_both_forms_is_unclear(tmp_path):
    touch(tmp_path, "anna/00_start.ipynb", "anna-00_start.ipynb", "ben-00_start.ipynb")
    problems = [each.problem for each in handins.find(tmp_path, LESSONS)]
    assert [bool(problem) for problem in problems] == [True, True, False]
    assert "another hand-in of the same lesson" in problems[0]


def test_what_is_unclear_is_said(tmp_path):
    touch(tmp_path, "anna/00_start-Copy1.ipynb", "anna/00_start-Copy2.ipynb", "ben/essay.docx", "homework.ipynb")
    touch(tmp_path, "00_start.ipynb", "dora/mine.ipynb", "eva/00_start.ipynb", "eva/00_start-Copy1.ipynb")
    (tmp_path / "carl").mkdir()
    problems = {student: problem for (student, _), (_, problem) in found(tmp_path).items()}
    assert "more than once, as 00_start-Copy1.ipynb and 00_start-Copy2.ipynb" in problems["anna"]
    assert problems["ben"] == "no notebook of a lesson is there, only essay.docx"
    assert problems["carl"] == "the folder is empty"
    assert "holds no lesson" in problems["homework"]
    assert "holds no student" in problems["00_start"]
    assert "only mine.ipynb" in problems["dora"]
    assert problems["eva"] is None  # the one with the lesson's own name counts


def test_there_must_be_something(tmp_path):
    with pytest.raises(ValueError, match="nothing is handed in"):
        handins.find(tmp_path, LESSONS)
    with pytest.raises(ValueError, match="there is no folder"):
        handins.find(tmp_path / "nowhere", LESSONS)


# ---- reading --------------------------------------------------------------------------------------


def test_a_notebook_is_read_as_its_cells(tmp_path):
    path = school.write(COPY, tmp_path / "00_start.ipynb")
    cells = handins.read(path)
    assert len(cells) == len(COPY.cells)
    assert cells[4] == Cell("code", CHECKS["ex1-check"], "c-1", "ex1-check")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no json", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1, 2]", "no notebook"),
        (b'{"cells": 3, "nbformat": 4}', "no notebook"),
        (b'{"worksheets": [], "nbformat": 3}', "nbformat 3, not 4"),
        (b'{"cells": [{"cell_type": "code"}], "nbformat": 4}', "cell 1 is damaged"),
        (b'{"cells": [{"cell_type": "code", "source": [1]}], "nbformat": 4}', "cell 1 is damaged"),
        (b'{"cells": [3], "nbformat": 4}', "cell 1 is damaged"),
        (b'{"cells": [{"cell_type": "page", "source": ""}], "nbformat": 4}', "cell 1 is damaged"),
    ],
)
def test_what_is_no_notebook_says_why(tmp_path, content, why):
    path = tmp_path / "00_start.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotANotebookError, match=why):
        handins.read(path)


def test_links_folders_and_floods_are_not_read(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "secret")
    (tmp_path / "folder.ipynb").mkdir()
    for name, why in (("link", "a link"), ("folder", "cannot be read"), ("nowhere", "No such file")):
        with pytest.raises(NotANotebookError, match=why):
            handins.read(tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(handins, "LARGEST", 1)
    with pytest.raises(NotANotebookError, match="more than"):
        handins.read(tmp_path / "secret")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cell_type", "source", "metadata", "nbgrader", "grade_id", "id"]), inner)
    ),
)


@settings(max_examples=30)
@given(st.lists(JSON | st.fixed_dictionaries({"cell_type": st.just("code"), "source": JSON, "metadata": JSON})))
def test_whatever_cells_hold_they_are_read_or_refused(cells):
    try:
        read = handins.cells({"cells": cells, "nbformat": 4})
    except NotANotebookError:
        return
    assert all(isinstance(cell.source, str) for cell in read)
    json.dumps(restore(read, COPY).notebook)


# ---- the checks come back -------------------------------------------------------------------------


def cells_of(notebook):
    return [Cell(c.cell_type, c.source, c.id, c.metadata.get("nbgrader", {}).get("grade_id")) for c in notebook.cells]


@given(st.randoms(use_true_random=False))
def test_every_check_is_the_teachers_and_there_once_whatever_was_moved_cut_or_doubled(draw: random.Random):
    cells = [Cell(c.kind, c.source + draw.choice(["", " # mine"]), c.id, c.grade_id) for c in cells_of(COPY)]
    cells = draw.choices(cells, k=draw.randrange(2 * len(cells)))
    whole = restore(cells, COPY).notebook["cells"]
    checks = [c for c in whole if lessons.info(c).get("locked")]
    assert sorted(lessons.info(c)["grade_id"] for c in checks) == sorted(CHECKS)
    assert all(c["source"] == CHECKS[lessons.info(c)["grade_id"]] for c in checks)
    assert all(c["metadata"] == {} or c["metadata"] in [each.metadata for each in COPY.cells] for c in whole)
    ids = [c["id"] for c in whole]
    assert len(set(ids)) == len(ids)


def test_an_untouched_hand_in_stays_as_it_is():
    done = restore(cells_of(COPY), COPY)
    assert done.notes == {}
    assert [c["source"] for c in done.notebook["cells"]] == [c.source for c in COPY.cells]


def test_a_changed_check_is_said_and_undone():
    mine = school.small_lesson()
    school.cell(mine, "ex1-check").source = 'print("passed: single")'
    done = restore(cells_of(mine), COPY)
    assert done.notes == {"ex1-check": "the check was changed in the hand-in; the teacher's was run"}
    assert [c["source"] for c in done.notebook["cells"]] == [c.source for c in COPY.cells]


def test_a_deleted_check_comes_back_behind_its_answer_and_a_deleted_answer_does_not():
    mine = school.small_lesson()
    gone = ("ex1-check", "ex2-answer", "ex3-answer")
    mine.cells = [c for c in mine.cells if c.metadata.get("nbgrader", {}).get("grade_id") not in gone]
    done = restore(cells_of(mine), COPY)
    names = [lessons.info(c).get("grade_id") for c in done.notebook["cells"] if lessons.info(c)]
    assert names == ["ex1-answer", "ex1-check", "ex2-check", "ex3-answer"]
    assert set(done.notes) == set(gone)
    assert "missing" in done.notes["ex2-answer"]


def test_cells_that_lost_their_metadata_are_known_by_their_ids():
    mine = [Cell(c.kind, c.source, c.id, None) for c in cells_of(COPY)]
    assert restore(mine, COPY).notes == {}


def test_cells_of_their_own_stay_in_their_places():
    mine = school.small_lesson()
    mine.cells.insert(3, school.new_code_cell("def helper(): return 1", id="helper"))
    sources = [c["source"] for c in restore(cells_of(mine), COPY).notebook["cells"]]
    assert sources[3] == "def helper(): return 1"


# ---- marks ----------------------------------------------------------------------------------------

EXERCISES = lessons.exercises(json.loads(json.dumps(COPY)))
RIGHT = {"ex1-check": 1, "ex2-check": 2}


def judged(scores=None, errors=(), notes=None, **more):
    """The marks of the small lesson by exercise, where the essay waits for a person."""
    points = {key: {"points": value, "by_hand": False} for key, value in (RIGHT | (scores or {})).items()}
    points.setdefault("ex3-answer", {"points": None, "by_hand": True})
    wrong = [{"grade_id": key, "name": name, "value": value} for key, name, value in errors]
    rows = marks.judge("anna", "00_start", EXERCISES, {"scores": points, "errors": wrong} | more, notes or {})
    return {row.exercise: row for row in rows}


def test_what_passes_and_what_waits_for_a_person():
    rows = judged()
    assert [(row.points, row.max, row.mark) for row in rows.values()] == [
        (1, 1, "passed"), (2, 2, "passed"), (0, 3, "by hand"),
    ]  # fmt: skip
    assert rows["3"].message == "3 of 3 points are for a person to give"
    assert judged({"ex3-answer": 0})["3"].mark == "not written"


@pytest.mark.parametrize(
    ("errors", "mark", "said"),
    [
        ([("ex1-check", "AssertionError", "single: not of 4")], "failed", "single: not of 4"),
        ([("ex1-check", "AssertionError", "")], "failed", "the check fails, without a word"),
        ([("ex1-check", "AssertionError", "not written yet: single")], "not written", "not written yet: single"),
        ([("ex1-check", "NotImplementedError", "")], "not written", "NotImplementedError"),
        ([("ex1-check", "CellTimeoutError", "still running after 5 seconds")], "too slow", "still running"),
        ([("ex1-check", "MemoryError", "")], "too much memory", "MemoryError"),
        ([("ex1-check", "RuntimeError", "DefaultCPUAllocator: can't allocate memory")], "too much memory", "can't"),
        ([("ex1-check", "DeadKernelError", "the kernel died in this cell")], "crashed", "the kernel died"),
        ([("ex1-check", "PermissionError", "no network while a hand-in is graded")], "network", "no network"),
        ([("ex1-check", "CheckNotRun", "the check ended early")], "failed", "the check ended early"),
        ([("ex1-answer", "SyntaxError", "bad"), ("ex1-check", "NameError", "no single")], "failed", "its answer cell"),
        ([], "failed", "no points"),
    ],
)
def test_what_fails_says_why(errors, mark, said):
    row = judged({"ex1-check": 0}, errors)["1"]
    assert (row.points, row.mark) == (0, mark)
    assert said in row.message
    assert judged({"ex1-check": 0}, errors)["2"].mark == "passed"


def test_time_notes_and_the_network_are_told():
    dead = [("ex1-check", "DeadKernelError", "the kernel died in this cell")]
    rows = judged({"ex1-check": 0}, dead, {"ex2-check": "the check was changed"}, stopped=True, network="a.org:80")
    assert (rows["1"].mark, rows["2"].mark) == ("too slow", "passed")
    assert "its time was up" in rows["1"].message
    assert rows["2"].message.startswith("the check was changed; ")
    assert "a.org:80" in rows["2"].message


@given(st.text())
def test_a_message_is_one_line_that_no_spreadsheet_computes(message):
    clean = marks.clean(message)
    assert clean == "" or (clean.isprintable() and len(clean) <= 301)
    assert clean[:1] not in tuple("=+-@")


def test_the_table_is_written_whole(tmp_path):
    rows = [Row("=anna", "00_start", "1", 1.0, 2.5, "passed", 'so, "fine"')]
    marks.write(rows, tmp_path / "grades.csv")
    with (tmp_path / "grades.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["student"] == "'=anna"
    assert (line["points"], line["max"], line["message"]) == ("1", "2.5", 'so, "fine"')
    assert [path.name for path in tmp_path.iterdir()] == ["grades.csv"]


def test_a_hand_in_that_cannot_be_run_gets_a_row_for_each_exercise():
    rows = marks.refused("anna", "00_start", EXERCISES, marks.UNREADABLE, "no JSON")
    assert [(row.exercise, row.points, row.max, row.mark) for row in rows] == [
        ("1", 0, 1, "not a notebook"), ("2", 0, 2, "not a notebook"), ("3", 0, 3, "not a notebook"),
    ]  # fmt: skip
    assert len(marks.refused("anna", "", [], marks.UNCLEAR, "empty")) == 1

"""Whole lessons of the course: graded as they stand, and spoilt by hand so that the tests must notice."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from notebooks.execute import ENVIRONMENT
from vlprompt.classroom import build, lessons
from vlprompt.classroom.course import Limits
from vlprompt.classroom.grade import grade

ROOT = Path(__file__).resolve().parent.parent
LESSON = ROOT / "notebooks" / "00_start.ipynb"


@pytest.mark.slow
def test_the_teachers_copy_passes_all_and_the_students_copy_is_not_written(tmp_path):
    teacher, copy = tmp_path / "teacher", tmp_path / "copy"
    teacher.mkdir()
    (teacher / LESSON.name).write_bytes(LESSON.read_bytes())
    build.build(copy, teacher)
    for student, folder in (("teacher", teacher), ("blank", copy)):
        (tmp_path / "in" / student).mkdir(parents=True)
        (tmp_path / "in" / student / LESSON.name).write_bytes((folder / LESSON.name).read_bytes())
    rows = grade(tmp_path / "in", tmp_path / "out", teacher, Limits(seconds=900, cell_seconds=300))
    exercises = {each.number: each for each in lessons.exercises(lessons.read(LESSON))}
    assert {row.student for row in rows} == {"teacher", "blank"}
    assert len(rows) == 2 * len(exercises)
    for row in rows:
        if row.student == "blank":
            assert (row.points, row.mark) == (0, "not written"), row
        else:
            checked = sum(part.points for part in exercises[row.exercise].parts if not part.by_hand)
            assert row.points == checked, row
            assert row.mark == ("passed" if checked == row.max else "by hand"), row


def as_it_is(notebook):
    pass


def another_number(notebook):
    """The smaller of two counts in a stored table, one digit changed by hand."""
    cell = next(
        c for c in notebook.cells if c.cell_type == "code" and "<td" in str(c.outputs) and "38_131_201" in c.source
    )
    (output,) = (o for o in cell.outputs if "text/html" in o.get("data", {}))
    before = output.data["text/html"]
    digits = re.search(r"\d{1,3}(?:,\d{3})+", before).group()
    output.data["text/html"] = before.replace(digits, f"{digits[:-1]}{(int(digits[-1]) + 1) % 10}", 1)
    assert output.data["text/html"] != before


def a_false_claim(notebook):
    """A claim that does not hold any more; its stored output still says that it does."""
    cell = next(c for c in notebook.cells if "10 * whole < 149_620_737" in c.source)
    cell.source = cell.source.replace("10 * whole <", "100 * whole <")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "passes"),
    [(as_it_is, True), (another_number, False), (a_false_claim, False)],
)
def test_nbval_notices_a_number_or_claim_that_was_changed_by_hand(spoil, passes, tmp_path):
    notebook = nbformat.read(LESSON, as_version=4)
    last = next(i for i, c in enumerate(notebook.cells) if "10 * whole < 149_620_737" in c.source)
    notebook.cells = notebook.cells[: last + 1]  # the first part of the lesson is enough, and quicker
    spoil(notebook)
    nbformat.write(notebook, tmp_path / LESSON.name)
    command = [sys.executable, "-m", "pytest", "--nbval", str(tmp_path / LESSON.name), "-p", "no:python", "-q"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-c", "pyproject.toml", "--rootdir", "."],
        cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == passes, done.stdout
    assert passes or re.search(r"\b1 failed", done.stdout), done.stdout

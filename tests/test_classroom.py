"""The students' copy holds no solution anywhere, and is made whole or not at all; pages need nothing beside them."""

import re
from unittest.mock import MagicMock

import nbformat
import pytest
import school
from typer.testing import CliRunner

from vlprompt import __version__, checks, progress
from vlprompt.classroom import build, lessons
from vlprompt.classroom.export import export, mathml
from vlprompt.classroom.leaks import leaks
from vlprompt.cli import app

REAL = lessons.lesson_files(lessons.teachers_folder())


def vlprompt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The folder of a teacher with one small lesson."""
    folder = tmp_path_factory.mktemp("teacher")
    school.write(school.small_lesson(), folder / "00_start.ipynb")
    return folder


@pytest.fixture(scope="module")
def student(teacher, tmp_path_factory):
    """The students' copy of it."""
    folder = tmp_path_factory.mktemp("student") / "copy"
    build.build(folder, teacher)
    return folder


@pytest.fixture(scope="module")
def real_copy(tmp_path_factory):
    """The students' copy of the course."""
    folder = tmp_path_factory.mktemp("course") / "copy"
    build.build(folder, lessons.teachers_folder())
    return folder


# ---- what the notebooks need ----------------------------------------------------------------------


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_lesson_can_be_handed_out_and_graded(path):
    assert lessons.faults(lessons.read(path)) == []
    found = lessons.exercises(lessons.read(path))
    assert [each.number for each in found] == [str(n) for n in range(1, len(found) + 1)]
    assert all(each.points > 0 and each.title for each in found)
    assert all(part.expected == (f"passed: {part.check}",) for each in found for part in each.parts if part.check)
    assert sum(bool(each.checks) for each in found) >= 2


def ungraded(notebook):
    school.cell(notebook, "ex1-check").metadata["nbgrader"]["grade"] = False


def unlocked(notebook):
    school.cell(notebook, "ex1-check").metadata["nbgrader"]["locked"] = False


def without_points(notebook):
    del school.cell(notebook, "ex1-check").metadata["nbgrader"]["points"]


def without_metadata(notebook):
    del school.cell(notebook, "ex1-answer").metadata["nbgrader"]


def twice_the_same_id(notebook):
    school.cell(notebook, "ex1-check").metadata["nbgrader"]["grade_id"] = "ex2-check"


def half_a_mark(notebook):
    own = school.cell(notebook, "ex1-answer")
    own.source = own.source.replace("### END SOLUTION", "")


def with_a_value(notebook):
    value = nbformat.v4.new_output("execute_result", data={"text/plain": "7"}, execution_count=9)
    school.cell(notebook, "ex1-check").outputs.append(value)


FAULTY = [ungraded, unlocked, without_points, without_metadata, twice_the_same_id, half_a_mark, with_a_value]


@pytest.mark.parametrize("spoil", FAULTY, ids=lambda spoil: spoil.__name__)
def test_a_lesson_that_cannot_be_graded_is_not_handed_out(spoil, tmp_path):
    check = "checks.single(single)"
    notebook = school.lesson(school.exercise(1, "single", "return x", check=check), school.exercise(2, "double", "x"))
    spoil(notebook)
    assert lessons.faults(notebook)
    school.write(notebook, tmp_path / "nb" / "00_start.ipynb")
    with pytest.raises(ValueError, match=r"00_start\.ipynb cannot be handed out: "):
        build.build(tmp_path / "copy", tmp_path / "nb")
    assert [path.name for path in tmp_path.iterdir()] == ["nb"]


# ---- the students' copy ---------------------------------------------------------------------------


def test_the_copy_has_stubs_and_checks_and_no_outputs(student, teacher):
    assert sorted(path.name for path in student.iterdir()) == ["00_start.ipynb", "README.md", progress.FILE]
    copied = nbformat.read(student / "00_start.ipynb", as_version=4)
    nbformat.validate(copied)
    assert school.cell(copied, "ex1-answer").source.endswith('"""\n    # your code here\n    raise NotImplementedError')
    own = nbformat.read(teacher / "00_start.ipynb", as_version=4)
    assert school.cell(copied, "ex1-check").source == school.cell(own, "ex1-check").source
    assert school.cell(copied, "ex1-check").metadata.editable is False
    assert all(c.outputs == [] and c.execution_count is None for c in copied.cells if c.cell_type == "code")
    assert progress.passed(student) == {}
    assert f"vlprompt-{__version__}-py3-none-any.whl" in (student / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_the_copy_of_the_course_holds_no_solution(path, real_copy):
    own, copied = lessons.read(path), lessons.read(real_copy / path.name)
    assert leaks(own, copied) == []
    assert leaks(own, own) != []
    whole = (real_copy / path.name).read_text(encoding="utf-8")
    assert "SOLUTION" not in whole
    assert "image/png" not in whole
    assert "passed: " not in whole


class Anything(dict):
    """The names of a notebook in which all that is not defined can be called."""

    def __missing__(self, name):
        return getattr(__builtins__, name, None) or __builtins__.get(name) or MagicMock(name=name)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_check_of_the_copy_says_not_written_yet(path, real_copy):
    names = Anything(checks=checks, __builtins__=__builtins__)
    seen = 0
    for cell in lessons.read(real_copy / path.name)["cells"]:
        source, here = lessons.text(cell["source"]), lessons.info(cell)
        if here.get("grade") and here["locked"]:
            seen += 1
            with pytest.raises(AssertionError, match=r"^not written yet: "):
                exec(source, names)
        elif here.get("solution") and "def " in source:
            exec(source, names)
    assert seen == sum(len(each.checks) for each in lessons.exercises(lessons.read(path)))


def keep_an_answer(copied, own):
    school.cell(copied, "ex1-answer").source = school.cell(own, "ex1-answer").source


def keep_a_line(copied, own):
    copied.cells[0].source += "\n\nBy the way: `return x + x`."


def keep_an_output(copied, own):
    school.cell(copied, "ex3-answer").outputs = school.cell(own, "ex3-answer").outputs


def keep_it_in_metadata(copied, own):
    school.cell(copied, "ex1-answer").metadata["nbgrader"]["note"] = "return x * 1"


def keep_other_metadata(copied, own):
    copied.cells[1].metadata["solution"] = "x"


def keep_a_count(copied, own):
    school.cell(copied, "ex1-check").execution_count = 9


def keep_the_mark(copied, own):
    school.cell(copied, "ex1-answer").source += "\n    ### END SOLUTION"


SPOILS = [
    keep_an_answer,
    keep_a_line,
    keep_an_output,
    keep_it_in_metadata,
    keep_other_metadata,
    keep_a_count,
    keep_the_mark,
]


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
def test_what_is_left_in_the_copy_is_found(spoil, student, teacher):
    own = nbformat.read(teacher / "00_start.ipynb", as_version=4)
    copied = nbformat.read(student / "00_start.ipynb", as_version=4)
    assert leaks(own, copied) == []
    spoil(copied, own)
    assert leaks(own, copied) != []


def test_a_copy_that_would_leak_is_not_made(tmp_path):
    notebook = school.small_lesson()
    notebook.cells[-1].metadata["tags"] = ["return x + x"]
    school.write(notebook, tmp_path / "nb" / "00_start.ipynb")
    with pytest.raises(ValueError, match="would leak"):
        build.build(tmp_path / "copy", tmp_path / "nb")
    assert [path.name for path in tmp_path.iterdir()] == ["nb"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, teacher):
    (tmp_path / "mine.txt").write_text("a year of work")
    done = vlprompt("classroom", "build", tmp_path, "--notebooks", teacher)
    assert done.exit_code == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_build_needs_lessons(tmp_path):
    done = vlprompt("classroom", "build", tmp_path / "copy", "--notebooks", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"vlprompt: no lesson is in {tmp_path}: their names are like 00_start.ipynb\n"


def test_without_nbgrader_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("vlprompt.cli.classroom.find_spec", lambda name: None)
    for words in (["build", tmp_path / "a"], ["grade", tmp_path], ["export", tmp_path / "b"]):
        done = vlprompt("classroom", *words)
        assert done.exit_code == 2
        assert "is not installed: pip install -e '.[classroom]'" in done.stderr


# ---- pages ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of the course, by the name of the lesson."""
    folder = tmp_path_factory.mktemp("pages")
    return {path.stem: path.read_text(encoding="utf-8") for path in export(folder, lessons.teachers_folder())}


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_page_needs_no_script_and_nothing_beside_it(path, pages):
    page = pages[path.stem]
    assert "<script" not in page
    assert "<link" not in page
    assert re.findall(r'\bsrc="(?!data:)', page) == []
    assert re.findall(r"url\((?!data:)|@import", page) == []
    assert re.search(r'<html lang="en"', page)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_page_has_the_words_of_its_pictures_and_formulas_for_a_browser(path, pages):
    from bs4 import BeautifulSoup

    notebook = nbformat.read(path, as_version=4)
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    words = [o.metadata["image/png"]["alt"] for o in outputs if "image/png" in o.get("data", {})]
    page = BeautifulSoup(pages[path.stem], "html.parser")
    assert [picture["alt"] for picture in page.find_all("img")] == words
    assert page.title.text == notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    formulas = re.findall(r"(?s)\$\$.+?\$\$|\$[^$\n]+\$", prose)
    assert len(page.find_all("math")) == len(formulas)
    assert len(page.select("details.solution")) == sum("BEGIN SOLUTION" in c.source for c in notebook.cells)
    assert len(page.find_all("table")) >= sum("<table" in o.get("data", {}).get("text/html", "") for o in outputs)


def test_formulas_become_mathml():
    assert "<mfrac>" in mathml(r"\frac{a}{b}", "block")
    assert 'display="inline"' in mathml("x", "inline")


def test_a_lesson_that_was_not_run_is_no_page(student, tmp_path):
    done = vlprompt("classroom", "export", tmp_path / "pages", "--notebooks", student)
    assert done.exit_code == 2
    assert "holds no outputs" in done.stderr
    assert not (tmp_path / "pages").exists()

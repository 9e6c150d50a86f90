"""The students' copy of the lessons: nbgrader clears the solutions and outputs and locks the checks."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlprompt import __version__, progress
from vlprompt.classroom.leaks import CELL_KEYS, NOTEBOOK_KEYS, leaks
from vlprompt.classroom.lessons import faults, lesson_files, read

STUB = "# your code here\nraise NotImplementedError"
README = Path(__file__).with_name("students.md")
GRADEBOOK = "gradebook.db"


def build(target: Path, notebooks: Path) -> list[Path]:
    """Make the students' copy of the lessons in `notebooks` as the folder `target`, whole or not at all.

    It holds the lessons without solutions and outputs, a README, and an empty record of progress. Raises ValueError
    where `target` has something in it, where a notebook cannot be handed out, or where its copy would hold a solution.
    """
    target = Path(target)
    files = check(notebooks)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} is there already and not empty; name a new folder, so that nobody's work is lost")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vlprompt-") as scratch:
        course, copy = Path(scratch, "course"), Path(scratch, "copy")
        copy.mkdir()
        release(files, course)
        for file in files:
            student = read(released(course, file.stem))
            if found := leaks(read(file), student):
                raise ValueError(f"the students' copy of {file.name} would leak: {found[0]}")
            (copy / file.name).write_text(json.dumps(student, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (copy / "README.md").write_text(README.read_text("utf-8").replace("{version}", __version__), "utf-8")
        progress.start(copy)
        if target.exists():
            target.rmdir()
        os.replace(copy, target)
    return [target / file.name for file in files]


def check(notebooks: Path) -> list[Path]:
    """The lessons of a folder. Raises ValueError where one of them cannot be handed out."""
    files = lesson_files(notebooks)
    for file in files:
        if found := faults(read(file)):
            raise ValueError(f"{file.name} cannot be handed out: {'; '.join(found)}")
    return files


def released(course: Path, lesson: str) -> Path:
    """Where nbgrader puts the students' copy of a lesson, in the folder of a course."""
    return course / "release" / lesson / f"{lesson}.ipynb"


def release(files: list[Path], course: Path) -> None:
    """Make the folder of a course in nbgrader's form, each lesson an assignment: sources, copies and gradebook."""
    for file in files:
        source = course / "source" / file.stem / file.name
        source.parent.mkdir(parents=True, exist_ok=True)
        plain = read(file)
        plain["metadata"] = {key: value for key, value in plain["metadata"].items() if key in NOTEBOOK_KEYS}
        for cell in plain["cells"]:
            cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key in CELL_KEYS}
        source.write_text(json.dumps(plain), encoding="utf-8")
        generate(course, file.stem)


def directory(course: Path, lesson: str, student: str = "."):
    """nbgrader's view of the folder of a course, for one lesson and one student."""
    from nbgrader.coursedir import CourseDirectory

    database = f"sqlite:///{(course / GRADEBOOK).resolve()}?timeout=60"  # several hand-ins may be graded at once
    return CourseDirectory(root=str(course.resolve()), db_url=database, assignment_id=lesson, student_id=student)


def generate(course: Path, lesson: str) -> None:
    """One lesson's copy by nbgrader. Raises ValueError with nbgrader's own words where it refuses."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from traitlets.config import Config

    config = Config()
    config.ClearSolutions.code_stub = {"python": STUB}
    said = Said()
    converter = GenerateAssignment(coursedir=directory(course, lesson), config=config, log=said.log)
    converter.force = True
    try:
        with programs_of_python():
            converter.start()
    except (NbGraderException, SystemExit):
        raise ValueError(f"nbgrader cannot make the students' copy of {lesson}: {said.last()}") from None


@contextmanager
def programs_of_python() -> Iterator[None]:
    """Put the folder of Python's programs first on the path: nbgrader runs `alembic`, which need not be on it."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before or os.defpath])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before


class Said(logging.Handler):
    """A log of nbgrader's that keeps what it says, in place of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.log = logging.Logger("nbgrader", logging.WARNING)
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += record.getMessage().strip().splitlines()[-1:]

    def last(self) -> str:
        """The last thing that it said of a fault."""
        return next((line for line in reversed(self.lines) if "rror" in line), "see its log")

"""For students, their progress; for teachers, the students' copy, the grading of hand-ins, and pages to read."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from vlprompt.cli.app import JsonOption, app, say

classroom = typer.Typer(help="Hand out the course, grade what comes back, make pages of it.", no_args_is_help=True)
app.add_typer(classroom, name="classroom")

NotebooksOption = Annotated[
    Path | None, typer.Option(help="The folder of the teacher's notebooks; by default the course's.")
]


@app.command()
def progress(
    folder: Annotated[
        Path | None, typer.Argument(help="Your copy of the course; by default the one you are in.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the lessons, and which of their exercises you have passed, and when."""
    from vlprompt.progress import overview

    if folder is not None and not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; give the one with your notebooks")
    lessons = overview(folder)
    if as_json:
        times = {each.name: {n: t and t.isoformat() for n, t in each.passed.items()} for each in lessons}
        print(json.dumps(times))
        return
    for lesson in lessons:
        print(line(lesson))


def line(lesson) -> str:
    """A lesson's progress in one line: how many are passed, when the last was, and what comes next."""
    count = f"{len(lesson.done)} of {len(lesson.checked)}"
    last = max((lesson.passed[each.number] for each in lesson.done), default=None)
    date = last.strftime("%Y-%m-%d %H:%M") if last else ""
    next_one = next((each for each in lesson.checked if each not in lesson.done), None)
    todo = f"next: exercise {next_one.number}, {next_one.title}" if next_one else "all passed"
    return f"{lesson.name:28} {count}   {date:16}   {todo}".rstrip()


@classroom.command()
def build(
    folder: Annotated[Path, typer.Argument(help="A new folder, for the copy.")] = Path("course-for-students"),
    notebooks: NotebooksOption = None,
) -> None:
    """Make the students' copy: the same lessons without solutions and outputs, and a README."""
    need("nbgrader")
    from vlprompt.classroom.build import build
    from vlprompt.classroom.lessons import teachers_folder

    written = build(folder, notebooks or teachers_folder())
    say(f"{len(written)} lessons in {folder}; no line of a solution is left in them")


@classroom.command()
def grade(
    folder: Annotated[Path, typer.Argument(help="Hand-ins: a sub-folder a student, or files STUDENT-LESSON.ipynb.")],
    out: Annotated[
        Path | None, typer.Option(help="For grades.csv and nbgrader's files; default: FOLDER-graded.")
    ] = None,
    lesson: Annotated[list[str] | None, typer.Option(help="Only this lesson; may be given several times.")] = None,
    seconds: Annotated[int, typer.Option(help="That a hand-in may run.")] = 600,
    cell_seconds: Annotated[int, typer.Option(help="That one cell may run.")] = 120,
    memory: Annotated[int, typer.Option(help="That a hand-in may use, in GiB.")] = 4,
    jobs: Annotated[int, typer.Option(help="How many hand-ins at once, 1 to 64.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Grade also what has not changed since.")] = False,
    notebooks: NotebooksOption = None,
) -> None:
    """Grade hand-ins, each in a box without a network; goes on where it was interrupted. Writes grades.csv."""
    need("nbgrader")
    from vlprompt.classroom.course import Limits
    from vlprompt.classroom.grade import grade
    from vlprompt.classroom.lessons import teachers_folder
    from vlprompt.tasks.task import check_range

    for name, value, least, most in (
        ("seconds", seconds, 1, 86_400), ("cell-seconds", cell_seconds, 1, 86_400),
        ("memory", memory, 1, 1024), ("jobs", jobs, 1, 64),
    ):  # fmt: skip
        check_range(name, value, least, most)
    out = out or folder.resolve().with_name(f"{folder.resolve().name}-graded")
    limits = Limits(seconds, cell_seconds, memory * 2**30)
    rows = grade(folder, out, notebooks or teachers_folder(), limits, lesson, jobs, again, say=say)
    say(f"{len(rows)} rows in {out / 'grades.csv'}")


@classroom.command()
def export(
    folder: Annotated[Path, typer.Argument(help="For the pages.")] = Path("course-pages"),
    notebooks: NotebooksOption = None,
) -> None:
    """Make a page of HTML of each lesson, with outputs and solutions, that needs no kernel and no network."""
    need("nbconvert", "latex2mathml")
    from vlprompt.classroom.export import export
    from vlprompt.classroom.lessons import teachers_folder

    written = export(folder, notebooks or teachers_folder())
    say(f"{len(written)} pages in {folder}; they show the solutions")


def need(*packages: str) -> None:
    """Refuse to begin without the packages that only teachers need."""
    for package in packages:
        if not find_spec(package):
            raise ValueError(f"{package} is not installed: pip install -e '.[classroom]'")

"""What students hand in: found in a folder, and read without trust."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from vlprompt.classroom.marks import UNCLEAR

LARGEST = 20 * 2**20  # bytes; a lesson with all its pictures has half of one MiB


@dataclass(frozen=True)
class HandIn:
    """A student's notebook of one lesson, or what is wrong with it: `problem` in a sentence, `mark` in a word."""

    student: str
    lesson: str | None
    path: Path
    problem: str | None = None
    mark: str = UNCLEAR


@dataclass(frozen=True)
class Cell:
    """What is taken from a cell: nothing but its kind, its source, and by which names it may be known."""

    kind: str
    source: str
    id: str | None
    grade_id: str | None


class NotANotebookError(ValueError):
    """A file that cannot be graded; the message says why."""


def find(folder: Path, lessons: list[str]) -> list[HandIn]:
    """The hand-ins of a folder: a sub-folder for each student, or files named STUDENT-LESSON.ipynb.

    In a sub-folder, at any depth, a notebook's name holds its lesson's. Raises ValueError where there is none at all.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give one that holds a sub-folder for each student")
    found: list[HandIn] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        if path.is_dir() and not path.is_symlink():
            found += of_student(path, lessons)
        elif path.suffix == ".ipynb":
            found.append(of_file(path, lessons))
    if not found:
        raise ValueError(f"nothing is handed in at {folder}: it holds no sub-folders and no notebooks")
    return [unclear_twice(each, found) for each in found]


def unclear_twice(handin: HandIn, found: list[HandIn]) -> HandIn:
    """A hand-in, with a problem where the same student's lesson is in another place too."""
    others = [o for o in found if o is not handin and (o.student, o.lesson) == (handin.student, handin.lesson)]
    if not others or handin.lesson is None:
        return handin
    return replace(handin, problem=f"{others[0].path.name} is another hand-in of the same lesson: keep one of them")


def of_student(folder: Path, lessons: list[str]) -> list[HandIn]:
    """The hand-ins of one student's folder; a problem where a lesson is there twice, or no lesson is."""
    inside = [path for path in sorted(folder.rglob("*")) if not path.is_dir() and not hidden(path, folder)]
    notebooks = [path for path in inside if path.suffix == ".ipynb"]
    by_lesson: dict[str | None, list[Path]] = {}
    for path in notebooks:
        by_lesson.setdefault(lesson_in(path.stem, lessons), []).append(path)
    unknown = by_lesson.pop(None, [])
    found = [one(folder, lesson, paths) for lesson, paths in sorted(by_lesson.items())]
    if not found:
        names = ", ".join(path.name for path in (unknown or inside)[:3])
        problem = f"no notebook of a lesson is there, only {names}" if names else "the folder is empty"
        found = [HandIn(folder.name, None, folder, problem)]
    return found


def one(folder: Path, lesson: str, paths: list[Path]) -> HandIn:
    """The notebook of a lesson; of several, the one with the lesson's own name, and a problem where that is unclear."""
    exact = [path for path in paths if path.stem == lesson] or paths
    if len(exact) == 1:
        return HandIn(folder.name, lesson, exact[0])
    names = " and ".join(str(path.relative_to(folder)) for path in exact[:3])
    return HandIn(folder.name, lesson, exact[0], f"the lesson is there more than once, as {names}: keep one of them")


def of_file(path: Path, lessons: list[str]) -> HandIn:
    """A file that is named for its student and its lesson."""
    lesson = lesson_in(path.stem, lessons)
    if lesson is None:
        return HandIn(path.stem, None, path, "its name holds no lesson; name it like anna-02_clip_zero_shot.ipynb")
    before, _, after = path.stem.partition(lesson)
    student = (before or after).strip(" -_.")
    problem = None if student else "its name holds no student; name it like anna-02_clip_zero_shot.ipynb"
    return HandIn(student or path.stem, lesson, path, problem)


def hidden(path: Path, folder: Path) -> bool:
    """Whether a file is a program's own, such as JupyterLab's checkpoints."""
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def lesson_in(name: str, lessons: list[str]) -> str | None:
    """The lesson that a file's name holds."""
    return next((lesson for lesson in lessons if re.search(rf"(?<!\d){re.escape(lesson)}", name)), None)


def read(path: Path) -> list[Cell]:
    """The cells of a hand-in. Raises NotANotebookError with what is wrong, whatever the file holds."""
    try:
        if path.is_symlink():
            raise NotANotebookError("it is a link to another file")
        if path.stat().st_size > LARGEST:
            raise NotANotebookError(f"it has more than {LARGEST // 2**20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"))
    except NotANotebookError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotANotebookError(f"it is no JSON ({error})") from None
    except OSError as error:
        raise NotANotebookError(f"it cannot be read ({error.strerror})") from None
    return cells(content)


def cells(content: object) -> list[Cell]:
    """The cells of what a file of JSON holds. Raises NotANotebookError."""
    if not isinstance(content, dict) or not isinstance(content.get("cells", content.get("worksheets")), list):
        raise NotANotebookError("it is JSON, but no notebook: it has no cells")
    if content.get("nbformat") != 4:
        raise NotANotebookError(
            f"its format is nbformat {content.get('nbformat')}, not 4: open and save it in JupyterLab"
        )
    return [cell(number, found) for number, found in enumerate(content["cells"], start=1)]


def cell(number: int, found: object) -> Cell:
    """One cell, with its types checked."""
    source = found.get("source") if isinstance(found, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or found.get("cell_type") not in ("code", "markdown", "raw"):
        raise NotANotebookError(f"its cell {number} is damaged")
    metadata = found.get("metadata")
    graded = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = graded.get("grade_id") if isinstance(graded, dict) else None
    names = [name if isinstance(name, str) else None for name in (found.get("id"), grade_id)]
    return Cell(found["cell_type"], source.encode("utf-8", "replace").decode(), *names)

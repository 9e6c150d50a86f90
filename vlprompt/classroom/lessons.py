"""The lessons of a folder and the exercises in them, read from nbgrader's metadata. Needs no package but Python."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from vlprompt.paths import PACKAGE

LESSON = re.compile(r"\d\d_\w+")  # the name of a lesson's notebook, without `.ipynb`
TITLE = re.compile(r"(?m)^### Exercise (\d+) · (.+?)(?: \(.*\))?$")
CHECK = re.compile(r"\bchecks\.(?:\w+\.)*(\w+)\(")
PASSED = re.compile(r"(?m)^passed: \w+$")


@dataclass(frozen=True)
class Part:
    """A graded cell: a check, or an answer that a person marks."""

    grade_id: str
    points: float
    by_hand: bool
    check: str | None = None  # the name of the function of vlprompt.checks
    expected: tuple[str, ...] = ()  # the lines that it prints when it passes, in the teacher's notebook


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number, its title and its graded cells."""

    number: str
    title: str
    parts: tuple[Part, ...]

    @property
    def points(self) -> float:
        return sum(part.points for part in self.parts)

    @property
    def checks(self) -> list[str]:
        """The names of its checks; empty for an exercise that only a person marks."""
        return [part.check for part in self.parts if part.check]


def teachers_folder() -> Path:
    """The notebooks of the checkout, with their solutions. Raises ValueError where the package is no checkout."""
    folder = PACKAGE.parent / "notebooks"
    if not folder.is_dir():
        raise ValueError(f"the course's notebooks are not in {folder}: work from a checkout, or give their folder")
    return folder


def lesson_files(folder: Path) -> list[Path]:
    """The lessons of a folder, in their order. Raises ValueError where there are none."""
    files = sorted(path for path in Path(folder).glob("*.ipynb") if LESSON.fullmatch(path.stem))
    if not files:
        raise ValueError(f"no lesson is in {folder}: their names are like 00_start.ipynb")
    return files


def read(path: Path) -> dict:
    """A notebook of the course as JSON."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def text(value: str | list[str]) -> str:
    """The source of a cell or the text of an output, which a notebook stores as a string or as lines."""
    return value if isinstance(value, str) else "".join(value)


def info(cell: dict) -> dict:
    """What nbgrader keeps in a cell; empty for a cell that is not its."""
    return cell.get("metadata", {}).get("nbgrader", {})


def exercise_of(grade_id: str) -> str:
    """The exercise that a cell belongs to: `ex1` for `ex1-answer` and `ex1-check`."""
    return grade_id.rsplit("-", 1)[0]


def exercises(notebook: dict) -> list[Exercise]:
    """The exercises of a notebook, in their order."""
    parts: dict[str, list[Part]] = {}
    titles: dict[str, tuple[str, str]] = {}
    heading = ("", "")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            heading = next(reversed(TITLE.findall(text(cell["source"]))), heading)
        if info(cell).get("grade"):
            key = exercise_of(info(cell)["grade_id"])
            titles.setdefault(key, heading if heading[0] else (key, ""))
            parts.setdefault(key, []).append(part(cell))
    return [Exercise(*titles[key], tuple(found)) for key, found in parts.items()]


def part(cell: dict) -> Part:
    """A graded cell, read."""
    found, source = info(cell), text(cell["source"])
    printed = "".join(text(output["text"]) for output in cell.get("outputs", []) if output.get("name") == "stdout")
    by_hand = bool(found.get("solution"))
    check = None if by_hand else next(iter(CHECK.findall(source)), None)
    return Part(found["grade_id"], float(found["points"]), by_hand, check, tuple(PASSED.findall(printed)))


def faults(notebook: dict) -> list[str]:
    """What keeps a teacher's notebook from being handed out and graded; an empty list where all is well."""
    found, ids = [], set()
    for number, cell in enumerate(notebook["cells"]):
        here, source, name = info(cell), text(cell["source"]), cell.get("id", f"cell {number}")
        marked = "### BEGIN SOLUTION" in source
        if marked != ("### END SOLUTION" in source):
            found.append(f"{name}: a solution is marked at one end only")
        if marked and not here.get("solution"):
            found.append(f"{name}: it holds a solution, but nbgrader's metadata do not say so")
        if here.get("solution") and not marked:
            found.append(f"{name}: it should hold a solution, but none is marked")
        if re.search(r"(?m)^(\w+ = )?checks\.", source) and not (here.get("grade") and here.get("locked")):
            found.append(f"{name}: a check must be graded and locked")
        if here.get("grade") and any(o["output_type"] == "execute_result" for o in cell.get("outputs", [])):
            found.append(f"{name}: it ends with a value, which nbgrader takes for points: give it a name")
        if here:
            found += [f"{name}: nbgrader's metadata lack {key}" for key in missing_keys(here)]
            if here.get("grade_id") in ids:
                found.append(f"{name}: the grade id {here.get('grade_id')} is taken")
            ids.add(here.get("grade_id"))
    return found


def missing_keys(here: dict) -> list[str]:
    """The keys that nbgrader's third schema wants, and this cell lacks."""
    wanted = ["grade", "grade_id", "locked", "schema_version", "solution"] + ["points"] * bool(here.get("grade"))
    return [key for key in wanted if key not in here]

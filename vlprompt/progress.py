"""The progress of a student: which checks have passed, and when, kept in a plain file of their workspace.

A workspace is a folder with a file `progress.jsonl`, such as `vlprompt classroom build` makes, or the one that
VLPROMPT_WORKSPACE names. Elsewhere nothing is written: running the teacher's notebooks leaves no trace. A line is added
for each check when it first passes, by a single write, so that two notebooks may do it at once.
"""

import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from vlprompt.classroom.lessons import Exercise, exercises, lesson_files, read, teachers_folder

FILE = "progress.jsonl"


@dataclass(frozen=True)
class Lesson:
    """A lesson's name, its exercises, and when the checks of each passed last (None: not yet)."""

    name: str
    exercises: list[Exercise]
    passed: dict[str, datetime | None]

    @property
    def checked(self) -> list[Exercise]:
        return [exercise for exercise in self.exercises if exercise.checks]

    @property
    def done(self) -> list[Exercise]:
        return [exercise for exercise in self.checked if self.passed[exercise.number]]


def own_workspace() -> Path:
    """Where progress is kept for those who work in a checkout by `vlprompt lab`."""
    return Path(platformdirs.user_data_dir("vlprompt"))


def find_workspace() -> Path | None:
    """The workspace that the current folder lies in: VLPROMPT_WORKSPACE (empty: none), or the nearest with the file."""
    named = os.environ.get("VLPROMPT_WORKSPACE")
    if named is not None:
        return Path(named) if named else None
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), None)


def start(folder: Path) -> None:
    """Make a folder a workspace."""
    (folder / FILE).write_text(json.dumps({"what": "checks of the vlprompt course that passed"}) + "\n", "utf-8")


def record(check: str) -> None:
    """Note that a check has passed, once, where there is a workspace. What hinders it is one line on standard error."""
    folder = find_workspace()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        append(folder / FILE, check)
    except OSError as error:
        print(f"progress is not kept, since {folder / FILE} cannot be written: {error}", file=sys.stderr)


def append(file: Path, check: str) -> None:
    """Add a line for a check, unless there is one: one write, at the end, whatever else is in the file."""
    before = file.read_bytes() if file.exists() else b""
    if any(line.get("check") == check for line in map(parse, before.splitlines()) if line):
        return
    line = json.dumps({"check": check, "passed": datetime.now().astimezone().isoformat(timespec="seconds")})
    broken = bool(before) and not before.endswith(b"\n")
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{chr(10) * broken}{line}\n".encode())
    finally:
        os.close(descriptor)


def parse(line: bytes) -> dict | None:
    """A line of the file, or None where it is damaged."""
    try:
        found = json.loads(line)
        if "check" in found:
            datetime.fromisoformat(found["passed"])
        return found if isinstance(found, dict) else None
    except (ValueError, TypeError, KeyError):
        return None


def passed(folder: Path) -> dict[str, datetime]:
    """Which checks have passed, and when. ValueError that names the line where the file is damaged."""
    file = folder / FILE
    times: dict[str, datetime] = {}
    lines = file.read_bytes().splitlines() if file.exists() else []
    for number, line in enumerate(lines, start=1):
        found = parse(line)
        if found is None and line.strip():
            raise ValueError(f"line {number} of {file} is damaged; delete this line, the other lines are good")
        if found and "check" in found:
            times.setdefault(found["check"], datetime.fromisoformat(found["passed"]).astimezone())
    return times


def overview(folder: Path | None = None) -> list[Lesson]:
    """The lessons of a workspace and what has passed in them; by default of the one that the current folder lies in.

    Lessons are those in the workspace or, where it holds none, the course's. Raises ValueError for a damaged file.
    """
    folder = folder or find_workspace() or own_workspace()
    times = passed(folder)
    files = lesson_files(folder if any(folder.glob("*.ipynb")) else teachers_folder())
    lessons = []
    for file in files:
        found = exercises(read(file))
        lessons.append(Lesson(file.stem, found, {exercise.number: when(exercise, times) for exercise in found}))
    return lessons


def when(exercise: Exercise, times: dict[str, datetime]) -> datetime | None:
    """When the last of an exercise's checks passed; None while one is open."""
    found = [times.get(check) for check in exercise.checks]
    return max(found) if found and all(found) else None

"""What became of a hand-in, in a row for each exercise: points, one word, and a sentence that says why."""

import csv
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from vlprompt.classroom.lessons import Exercise, Part, exercise_of
from vlprompt.paths import replace_whole

# The words of the column `mark`.
PASSED, FAILED, UNWRITTEN, BY_HAND = "passed", "failed", "not written", "by hand"
SLOW, CRASHED, MEMORY, NETWORK = "too slow", "crashed", "too much memory", "network"
UNREADABLE, UNCLEAR, MISSING, UNGRADED = "not a notebook", "unclear", "missing", "not graded"

# Words of an error that say more than "failed": the error's name, words in its value, and the mark.
TELLING = (
    (r"NotImplementedError", r"", UNWRITTEN),
    (r".*", r"^not written yet", UNWRITTEN),
    (r"CellTimeoutError", r"", SLOW),
    (r"NotRun", r"did not end", SLOW),
    (r"DeadKernelError|NotRun", r"", CRASHED),
    (r"MemoryError", r"", MEMORY),
    (r".*", r"can't allocate memory|Cannot allocate memory", MEMORY),
    (r".*", r"no network while a hand-in is graded|Network is unreachable", NETWORK),
)

OURS = ("AssertionError", "NotRun", "CheckNotRun", "CellTimeoutError", "DeadKernelError")  # their words say it all


@dataclass(frozen=True)
class Row:
    """A line of the table of grades."""

    student: str
    lesson: str
    exercise: str
    points: float
    max: float
    mark: str
    message: str = ""


def refused(student: str, lesson: str, found: list[Exercise], mark: str, message: str) -> list[Row]:
    """The rows of a hand-in that could not be run: no points, and the reason at each exercise."""
    if not found:
        return [Row(student, lesson, "", 0, 0, mark, clean(message))]
    return [Row(student, lesson, each.number, 0, each.points, mark, clean(message)) for each in found]


def judge(student: str, lesson: str, found: list[Exercise], result: dict, notes: dict[str, str]) -> list[Row]:
    """The rows of a hand-in that was run. `result` is what `autograde` found, `notes` what `restore` did."""
    rows = []
    for exercise in found:
        points = sum(float(result["scores"].get(part.grade_id, {}).get("points") or 0) for part in exercise.parts)
        mark, why = mark_of(exercise, result, points)
        said = [why, *(note for grade_id, note in notes.items() if exercise_of(grade_id) in keys(exercise))]
        if result.get("network"):
            said.append(f"the notebook tried to reach the network ({result['network']}), which was refused")
        message = clean("; ".join(dict.fromkeys(part for part in said if part)))
        rows.append(Row(student, lesson, exercise.number, points, exercise.points, mark, message))
    return rows


def keys(exercise: Exercise) -> set[str]:
    return {exercise_of(part.grade_id) for part in exercise.parts}


def mark_of(exercise: Exercise, result: dict, points: float) -> tuple[str, str]:
    """The word for an exercise, and the reason where it is not passed."""
    open_parts = [p for p in exercise.parts if p.by_hand and result["scores"].get(p.grade_id, {}).get("by_hand")]
    checks = [p for p in exercise.parts if not p.by_hand]
    failed = [p for p in checks if (result["scores"].get(p.grade_id, {}).get("points") or 0) < p.points]
    if failed:
        return reason(failed[0], exercise, result)
    if open_parts:
        left = sum(part.points for part in open_parts)
        return BY_HAND, f"{left:g} of {exercise.points:g} points are for a person to give"
    if not checks:
        return UNWRITTEN, "nothing was answered"
    if points < exercise.points:
        return PASSED, "the check passed, but the part for a person to mark was not answered"
    return PASSED, ""


def reason(part: Part, exercise: Exercise, result: dict) -> tuple[str, str]:
    """Why a check failed: what its answer stopped with, or what the check itself says."""
    mine = [e for e in result["errors"] if e["grade_id"] and exercise_of(e["grade_id"]) in keys(exercise)]
    check = next((e for e in mine if e["grade_id"] == part.grade_id), None)
    answers = [e for e in mine if e is not check]
    telling = check if check and (not answers or word(check) != FAILED) else (answers or [check])[0]
    if telling is None:
        return FAILED, "the check gave no points"
    if result.get("stopped") and word(telling) == CRASHED:
        return SLOW, "the notebook was stopped when its time was up"
    if telling["name"] in OURS:
        said = telling["value"] or "the check fails, without a word"
    else:
        said = f"{telling['name']}: {telling['value']}".rstrip(": ")
    if telling is not check:
        said = f"its answer cell stops with {said}"
    return word(telling), said


def word(error: dict) -> str:
    """The mark that an error stands for."""
    for name, value, mark in TELLING:
        if re.fullmatch(name, error["name"]) and re.search(value, error["value"]):
            return mark
    return FAILED


def clean(message: str) -> str:
    """A message that a terminal and a spreadsheet can show: one line, no control characters, no formula."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    message = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in message)).strip()
    message = message if len(message) <= 300 else message[:299] + "…"
    return f"'{message}" if message[:1] in ("=", "+", "-", "@") else message


def write(rows: list[Row], path: Path) -> None:
    """The table of grades as CSV, whole or not at all."""
    with replace_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Row)])
        table.writeheader()
        for row in rows:
            table.writerow(
                {**asdict(row), "student": clean(row.student), "points": f"{row.points:g}", "max": f"{row.max:g}"}
            )

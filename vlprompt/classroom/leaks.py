"""Whether a student's copy holds anything of a solution: in a source, an output or its metadata."""

import re
from collections.abc import Iterator

from vlprompt.classroom.lessons import info, text

SOLUTION = re.compile(r"(?ms)^[^\n]*### BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*### END SOLUTION[^\n]*$")
NOTEBOOK_KEYS = {"kernelspec", "language_info"}
CELL_KEYS = {"nbgrader", "tags", "reason", "deletable", "editable"}


def leaks(teacher: dict, student: dict) -> list[str]:
    """What of the teacher's solutions a student's copy holds; an empty list where it holds none.

    A line of a solution may stand in the copy only where the teacher's own text says it too, outside the solutions.
    """
    found = list(leftovers(student))
    public = "\n".join(public_texts(teacher))
    secret = sorted({line for cell in teacher["cells"] for line in solution_lines(cell) if line not in public})
    for where, value in strings(student):
        found += [f"{where} holds a line of a solution: {line}" for line in secret if line in value]
    return found


def solution_lines(cell: dict) -> list[str]:
    """The lines of the solutions in a cell, without their indent and their comments."""
    regions = SOLUTION.findall(text(cell["source"]))
    lines = [line.partition("  #")[0].strip() for region in regions for line in region.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def public_texts(teacher: dict) -> Iterator[str]:
    """What the teacher's notebook says to everybody: its sources outside the solutions."""
    for cell in teacher["cells"]:
        yield SOLUTION.sub("", text(cell["source"]))


def leftovers(student: dict) -> Iterator[str]:
    """Outputs, counts, marks of solutions, and metadata that a student's copy must not have."""
    if extra := set(student["metadata"]) - NOTEBOOK_KEYS:
        yield f"the notebook's metadata hold {', '.join(sorted(extra))}"
    for number, cell in enumerate(student["cells"]):
        name = cell.get("id", f"cell {number}")
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"{name} keeps an output"
        if "SOLUTION" in text(cell["source"]):
            yield f"{name} keeps the mark of a solution"
        if extra := set(cell["metadata"]) - CELL_KEYS:
            yield f"the metadata of {name} hold {', '.join(sorted(extra))}"
        if (
            info(cell).get("solution")
            and cell["cell_type"] == "code"
            and "NotImplementedError" not in text(cell["source"])
        ):
            yield f"{name} is an answer, but not an empty one"


def strings(value: object, where: str = "notebook") -> Iterator[tuple[str, str]]:
    """All strings of a notebook, keys too, each with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield where, str(key)
            yield from strings(inner, f"{where}.{key}")
    elif isinstance(value, list):
        if value and all(isinstance(line, str) for line in value):
            yield where, "".join(value)
        for number, inner in enumerate(value):
            name = inner.get("id", number) if isinstance(inner, dict) else number
            yield from strings(inner, f"{where}.{name}")

"""Small lessons and hand-ins for the tests of the classroom."""

import copy
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}


def graded(grade_id: str, **changes) -> dict:
    """nbgrader's metadata of a cell."""
    plain = {"grade": False, "grade_id": grade_id, "locked": False, "schema_version": 3, "solution": False}
    return {"nbgrader": plain | {"task": False} | changes}


def exercise(number: int, name: str, solution: str, points: int = 1, check: str | None = None) -> list:
    """An exercise in three cells: a function to write that doubles or whatever `solution` does to x, and its check."""
    answer = f'def {name}(x):\n    """{name} of x."""\n    ### BEGIN SOLUTION\n    {solution}\n    ### END SOLUTION'
    check = check or f'assert {name}(4) == {number * 4}, "{name}: not of 4"\nprint("passed: {name}")'
    printed = [new_output("stream", text=f"passed: {name}\n")]
    return [
        new_markdown_cell(f"### Exercise {number} · The {name} (easy, 5 minutes)", id=f"text-{number}"),
        new_code_cell(answer, id=f"a-{number}", metadata=graded(f"ex{number}-answer", solution=True)),
        new_code_cell(
            check,
            id=f"c-{number}",
            metadata=graded(f"ex{number}-check", grade=True, locked=True, points=points),
            outputs=printed,
            execution_count=9,
        ),
    ]


def by_hand(number: int, points: int = 3) -> list:
    """An exercise that a person marks."""
    answer = '### BEGIN SOLUTION\nprint("an essay on tokens")\n### END SOLUTION'
    return [
        new_markdown_cell(f"### Exercise {number} · An essay (open, 5 minutes)", id=f"text-{number}"),
        new_code_cell(
            answer,
            id=f"a-{number}",
            metadata=graded(f"ex{number}-answer", solution=True, grade=True, points=points),
            outputs=[new_output("stream", text="an essay on tokens\n")],
            execution_count=9,
        ),
    ]


def lesson(*exercises: list):
    """A teacher's notebook."""
    cells = [new_markdown_cell("# 00 · A small lesson", id="title"), new_code_cell("import math", id="set-up")]
    return new_notebook(cells=[*cells, *(cell for cells in exercises for cell in cells)], metadata=KERNEL)


def small_lesson():
    """Three exercises: two with a check, one for a person."""
    return lesson(exercise(1, "single", "return x * 1"), exercise(2, "double", "return x + x", 2), by_hand(3))


def write(notebook, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def cell(notebook, grade_id: str):
    """The cell with a grade id."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def answered(teacher, **answers: str):
    """A hand-in: the teacher's notebook with other answers, `ex1="return 5"` and the like."""
    notebook = copy.deepcopy(teacher)
    for key, body in answers.items():
        own = cell(notebook, f"{key}-answer")
        head = own.source.partition("\n")[0]
        own.source = f"{head}\n    " + body.replace("\n", "\n    ")
    return notebook

"""The notebook that is run: the student's cells, with the teacher's checks put back in their places."""

import copy
from dataclasses import dataclass

from vlprompt.classroom.handins import Cell
from vlprompt.classroom.lessons import info, text


@dataclass(frozen=True)
class Restored:
    """A notebook to run, and what was wrong with the one handed in: a sentence for each grade id."""

    notebook: dict
    notes: dict[str, str]


def restore(cells: list[Cell], copy_: dict) -> Restored:
    """The student's cells in their order; where the students' copy has a check or an answer, that cell's frame.

    A check is always the teacher's, and comes back where it is missing. A second cell under the same name stays, but
    as a plain one.
    """
    frames = {info(frame)["grade_id"]: frame for frame in copy_["cells"] if info(frame)}
    taken = match(cells, frames)
    notes: dict[str, str] = {}
    out = []
    for number, cell in enumerate(cells):
        grade_id = taken.get(number)
        if grade_id is None:
            out.append(plain(cell, number))
            continue
        frame = copy.deepcopy(frames[grade_id])
        if not info(frame)["locked"]:
            frame["source"] = cell.source
        elif cell.source.strip() != text(frame["source"]).strip() or cell.kind != frame["cell_type"]:
            notes[grade_id] = "the check was changed in the hand-in; the teacher's was run"
        out.append(frame)
    for grade_id in frames.keys() - set(taken.values()):
        locked = info(frames[grade_id])["locked"]
        notes[grade_id] = (
            "the check was missing in the hand-in; the teacher's was run" if locked else "its answer cell is missing"
        )
    put_back(out, copy_, set(taken.values()))
    return Restored({**copy_, "cells": out}, notes)


def match(cells: list[Cell], frames: dict[str, dict]) -> dict[int, str]:
    """Which cell stands for which grade id: by the grade id, or by the cell's own id where that was lost; once each."""
    taken: dict[int, str] = {}
    ids = {frame["id"]: grade_id for grade_id, frame in frames.items() if "id" in frame}
    for name_of in (lambda cell: cell.grade_id, lambda cell: ids.get(cell.id)):
        for number, cell in enumerate(cells):
            grade_id = name_of(cell)
            if number not in taken and grade_id in frames and grade_id not in taken.values():
                taken[number] = grade_id
    return taken


def plain(cell: Cell, number: int) -> dict:
    """A cell of the student's own, or of the lesson's text: its source and nothing else."""
    made = {"cell_type": cell.kind, "id": f"own-{number}", "metadata": {}, "source": cell.source}
    return made | {"execution_count": None, "outputs": []} if cell.kind == "code" else made


def put_back(out: list[dict], copy_: dict, there: set[str]) -> None:
    """Insert what is missing and graded: checks in their places, answers that a person marks at the end.

    An answer that is missing is not made up in its place: the student may have written it into another cell.
    """
    order = [info(frame)["grade_id"] for frame in copy_["cells"] if info(frame)]
    for frame in copy_["cells"]:
        here = info(frame)
        if not here.get("grade") or here["grade_id"] in there:
            continue
        place = place_of(out, order, here["grade_id"]) if here["locked"] else len(out)
        out.insert(place, copy.deepcopy(frame))


def place_of(out: list[dict], order: list[str], grade_id: str) -> int:
    """Behind the last cell that comes before it in the students' copy; else before the first that comes after it."""
    rank = {name: number for number, name in enumerate(order)}
    places = {rank[info(cell)["grade_id"]]: number for number, cell in enumerate(out) if info(cell)}
    earlier = [places[other] for other in sorted(places) if other < rank[grade_id]]
    later = [places[other] for other in sorted(places) if other > rank[grade_id]]
    return earlier[-1] + 1 if earlier else later[0] if later else len(out)

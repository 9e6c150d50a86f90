"""The teachers' page says of the lessons what they are: exercises, minutes, points; and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from vlprompt.classroom import lessons

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "teachers.md").read_text(encoding="utf-8")
LESSONS = lessons.lesson_files(ROOT / "notebooks")


def section(number: str) -> str:
    """What the page says of a lesson's exercises."""
    found = re.search(rf"(?ms)^### {number} .*?(?=^##|\Z)", PAGE)
    assert found, f"the page has no section on lesson {number}"
    return found.group()


def minutes(path: Path) -> tuple[int, int]:
    """How long a lesson takes to read, and its exercises, as it says at its top."""
    top = lessons.text(lessons.read(path)["cells"][0]["source"])
    reading = re.search(r"(\d+) minutes to read", top)
    solving = re.search(r"(\d+) minutes for the exercises", top)
    return int(reading[1]), int(solving[1])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_exercise_has_its_row(path):
    rows = re.findall(r"(?m)^\| (\d) (.+?) \|", section(path.stem[:2]))
    wanted = [(each.number.removeprefix("ex"), each.title) for each in lessons.exercises(lessons.read(path))]
    assert rows == wanted


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_points_of_an_exercise_are_those_of_its_notebook(path):
    for each in lessons.exercises(lessons.read(path)):
        (row,) = re.findall(rf"(?m)^\| {each.number.removeprefix('ex')} .+$", section(path.stem[:2]))
        for points in {part.points for part in each.parts}:
            assert re.search(rf"\b{points:g} points?\b|\b{points:g} by hand", row), f"{points:g} points: {row}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_minutes_and_points_of_the_plan(path):
    plan = PAGE.split("## Plans")[1].split("**Four weeks**")[0]
    (row,) = re.findall(rf"(?m)^\| {path.stem[:2]} .+$", plan)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    parts = [part for each in lessons.exercises(lessons.read(path)) for part in each.parts]
    by_hand = sum(part.points for part in parts if part.by_hand)
    by_checks = sum(part.points for part in parts if not part.by_hand)
    reading, solving = minutes(path)
    assert cells[1:4] == [str(reading), str(solving), f"{by_checks:g}, {by_hand:g}"]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", PAGE))))
def test_every_link_leads_somewhere(link):
    path, _, anchor = link.partition("#")
    assert path.startswith("https://") or not path or (ROOT / "docs" / path).exists()
    if anchor and not path:
        titles = [
            re.sub(r"[^\w\- ]", "", t).strip().lower().replace(" ", "-") for t in re.findall(r"(?m)^#+ (.+)$", PAGE)
        ]
        assert anchor in titles

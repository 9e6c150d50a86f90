"""The glossary has every term that a lesson sets in bold, and no other; its links lead somewhere."""

import itertools
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "glossary.md"
TEXT = PAGE.read_text(encoding="utf-8")
LESSONS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
ENTRY = re.compile(r"(?m)^- \*\*(.+?)\*\* \((.+?)\): (.+)$")
BOLD = re.compile(r"\*\*([^*]+)\*\*")
# In bold for stress, or as a label of a list: no terms.
STRESSED = {
    "01_prompts_in_language": {"whole", "halves"},
    "02_clip_zero_shot": {"mean", "normalise"},
    "06_cocoop": {"Guess before you run the next cell", "each", "one image at a time"},
}


def terms(path: Path) -> set[str]:
    """The terms that a lesson defines: in bold, in prose before the exercises, outside tables; no `Seen:`."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    lines = [line for line in prose.split("\n## Exercises")[0].splitlines() if not line.startswith("|")]
    found = {term for line in lines for term in BOLD.findall(line)}
    stressed = STRESSED.get(path.stem, set())
    return {singular(t) for t in found - stressed if len(t) > 1 and t[-1] not in ".:?!"}


def singular(term: str) -> str:
    """A term as the glossary has it: small, unless it is a name, and one of them."""
    term = term if re.search(r"[A-Z].*[A-Z]", term) else term[0].lower() + term[1:]
    return term[:-1] if term.endswith("s") and not term.endswith("ss") else term


def entries() -> dict[str, dict[str, str]]:
    """Term -> lesson's file name -> what the link says."""
    return {
        singular(term): {Path(target).stem: label for label, target in re.findall(r"\[(\d\d)\]\(([^)]+)\)", links)}
        for term, links, _ in ENTRY.findall(TEXT)
    }


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_term_of_a_lesson_is_in_the_glossary_and_the_other_way_round(lesson):
    listed = {term for term, lessons in entries().items() if lesson in lessons}
    assert listed == terms(LESSONS[lesson])


def test_every_entry_names_its_lessons_and_says_something():
    assert len(ENTRY.findall(TEXT)) == len(re.findall(r"(?m)^- ", TEXT)), "an entry is not written like the others"
    for term, lessons in entries().items():
        assert lessons, f"{term} names no lesson"
        assert all(name.startswith(label) for name, label in lessons.items()), f"{term}: a link says another number"
    for term, _, meaning in ENTRY.findall(TEXT):
        assert len(meaning.split()) >= 5, f"{term} is not explained"


def test_no_term_stands_twice_and_they_are_in_order():
    names = [term.lower() for term, _, _ in ENTRY.findall(TEXT)]
    assert all(a < b for a, b in itertools.pairwise(names))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", TEXT))))
def test_every_link_of_the_glossary_leads_somewhere(link):
    assert link.startswith("https://") or (PAGE.parent / link).exists()


def test_what_counts_as_a_term(tmp_path):
    source = "A **Meta-Net** and two **scenes**.\n\n> **Seen:** It works.\n\n| **Paper** | x |\n\n**P** and **A lead.**"
    cells = [
        {"cell_type": "markdown", "source": [source]},
        {"cell_type": "code", "source": ["2**3**2"]},
        {"cell_type": "markdown", "source": ["## Exercises\n\nThe **logits**."]},
    ]
    path = tmp_path / "09_x.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert terms(path) == {"Meta-Net", "scene"}

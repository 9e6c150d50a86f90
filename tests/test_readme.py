"""The README's table of results, and the page of all tables, are what the stored rows say, to the digit."""

import re
from pathlib import Path

import make_results
import pytest

from vlprompt.experiments import base_to_new
from vlprompt.results import stored
from vlprompt.tables import words

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {
    "zero-shot, each task's template": "zero-shot",
    "linear probe": "linear-probe",
    "CoOp": "coop",
    "CoCoOp": "cocoop",
    "deep vision prompts": "vision-only",
    "deep language prompts": "language-only",
    "independent V-L prompts": "independent-vl",
    "MaPLe": "maple",
    "MaPLe†": "maple-shared",
}


def results() -> dict[str, list[str]]:
    """The cells of each line in the table under "Results"."""
    section = README.split("\n## Results\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.+) \|$", section, re.M)[2:]
    return {name: rest for name, *rest in ([cell.strip() for cell in line.split("|")] for line in lines)}


@pytest.fixture(scope="module")
def table():
    """The experiment's first table of today's rows."""
    return base_to_new.tables(stored("base-to-new"))[0]


def test_every_method_has_its_line(table):
    assert [NAMES[name] for name in results()] == list(table.cells.index)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_says_what_is_stored(table, name):
    parameters, base, new, mean = results()[name]
    line = table.cells.loc[NAMES[name]]
    assert [parameters, base, new, mean] == [words(line[c]) for c in ("parameters", "base", "new", "H")]


def test_the_words_are_those_of_the_glossary():
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    defined = dict(re.findall(r"^- \*\*(.+?)\*\* \(.+?\): (.+)$", glossary, re.M))
    section = README.split("\n## Words\n")[1].split("\n## ")[0]
    words = dict(re.findall(r"^- \*\*(.+?)\*\*: (.+)$", section, re.M))
    assert len(words) > 10
    assert words.items() <= defined.items()


def test_the_page_of_all_tables_is_that_of_the_rows():
    assert make_results.PAGE.read_text(encoding="utf-8") == make_results.page()

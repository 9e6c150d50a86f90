"""What the papers print, to stand beside our own numbers, and how sure we are of each number.

The numbers, their sources and marks are in `data/papers.toml`.
"""

import tomllib
from dataclasses import dataclass
from functools import cache

from vlprompt.paths import data_file
from vlprompt.tasks.task import nearest

# A number's mark, the letter that stands beside it in a table, and what both mean.
MARKS = {
    "verified": ("v", "seen in the authors' repository"),
    "found": ("f", "seen in other public text, and consistent"),
    "consistent": ("c", "from memory, and the arithmetic agrees"),
    "memory": ("m", "from memory alone"),
}


@dataclass(frozen=True)
class Number:
    """A number that a paper prints, and its mark."""

    value: float
    mark: str

    def __str__(self) -> str:
        return f"{self.value:,.2f} {MARKS[self.mark][0]}"


@dataclass(frozen=True)
class Published:
    """A table of a paper, or a part of it: rows by name, a number (per cent, where nothing else is said) a column."""

    source: str
    setting: str
    mark: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]
    found: tuple[str, ...] = ()  # rows of the mark "found"
    note: str = ""

    def number(self, row: str, column: str) -> Number | None:
        """One number; None where the table has no such row. An unknown column is a ValueError."""
        if column not in self.columns:
            raise ValueError(nearest(f"column of {self.source}", column, list(self.columns)))
        if row not in self.rows:
            return None
        return Number(self.rows[row][self.columns.index(column)], "found" if row in self.found else self.mark)


def published(name: str) -> Published:
    """A table of `data/papers.toml` by its name. An unknown name is a ValueError with the nearest."""
    if name not in tables():
        raise ValueError(nearest("table of the papers", name, list(tables())))
    return tables()[name]


@cache
def tables() -> dict[str, Published]:
    """All tables by name, in the order of the file. What does not fit together is a ValueError."""
    return {
        name: read(name, entry) for name, entry in tomllib.loads(data_file("papers.toml").read_text("utf-8")).items()
    }


def read(name: str, entry: dict) -> Published:
    """One table of the file, checked: a known mark, and a number for each column."""
    columns = tuple(entry["columns"])
    rows = {row: tuple(map(float, numbers)) for row, numbers in entry["rows"].items()}
    found = tuple(entry.get("found", ()))
    if entry["mark"] not in MARKS:
        raise ValueError(nearest(f"mark (of {name})", entry["mark"], list(MARKS)))
    for row, numbers in rows.items():
        if len(numbers) != len(columns):
            raise ValueError(f"{name}, {row}: {len(numbers)} numbers for {len(columns)} columns")
    if not set(found) <= rows.keys():
        raise ValueError(f"{name}: found rows {list(found)} are not all rows of the table")
    return Published(entry["source"], entry["setting"], entry["mark"], columns, rows, found, entry.get("note", ""))


def legend(numbers: list[Number]) -> str:
    """What the marks of some numbers mean: "v: seen in the authors' repository; …"."""
    marks = {n.mark for n in numbers}
    return "; ".join(f"{letter}: {meaning}" for mark, (letter, meaning) in MARKS.items() if mark in marks)

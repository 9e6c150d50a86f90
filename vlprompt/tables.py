"""Tables of results: for the terminal, and in Markdown."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from vlprompt.evaluate import harmonic_mean
from vlprompt.protocols import Result
from vlprompt.statistics import Comparison

WIDE = 200  # columns of a file or pipe, so that no line of a table is broken there


@dataclass(frozen=True)
class Table:
    """A table to read. Its cells: text, whole numbers, accuracies, intervals, comparisons, papers' numbers, or None.

    The index of `cells` holds the names of its lines, and the index's name is the heading above them.
    """

    title: str
    cells: pd.DataFrame
    notes: tuple[str, ...] = ()


def make(title: str, heading: str, lines: dict[str, dict[str, object]], notes: Sequence[str] = ()) -> Table:
    """A table from its lines by name, each with its cells by column; a line need not have all columns."""
    columns = list(dict.fromkeys(column for line in lines.values() for column in line))
    cells = pd.DataFrame(
        [[line.get(column) for column in columns] for line in lines.values()],
        index=pd.Index(list(lines), name=heading), columns=columns, dtype=object,
    )  # fmt: skip
    return Table(title, cells, tuple(notes))


def words(cell: object) -> str:
    """What stands in a cell: accuracies to one decimal, whole numbers with commas, a dash for nothing."""
    if cell is None:
        return "–"
    if isinstance(cell, Comparison):
        there = [cell.difference.mean, cell.difference.low, cell.difference.high]
        mean, *ends = [f"{value:+.1f}" for value in there if value is not None]
        return mean + (f" [{', '.join(ends)}]" if len(set(ends)) == 2 else "")
    if isinstance(cell, float):
        return f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def show(table: Table) -> None:
    """Print a table and its notes."""
    drawn = RichTable(title=escape(table.title), title_justify="left")
    drawn.add_column(escape(str(table.cells.index.name)))
    for column in table.cells.columns:
        drawn.add_column(escape(str(column)), justify="right")
    for name, cells in zip(table.cells.index, table.cells.to_numpy(), strict=True):
        drawn.add_row(*(escape(words(cell)) for cell in (str(name), *cells)))
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(drawn)
    for note in table.notes:
        console.print(escape(note), highlight=False)


def markdown(table: Table) -> str:
    """A table and its notes in Markdown, the title in bold above it."""
    header = [str(table.cells.index.name), *map(str, table.cells.columns)]
    body = zip(table.cells.index, table.cells.to_numpy(), strict=True)
    rows = [header, ["---", *["--:"] * (len(header) - 1)], *([str(name), *map(words, cells)] for name, cells in body)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n\n".join([f"**{table.title}**", "\n".join(lines), *table.notes]) + "\n"


def averages(results: Sequence[Result]) -> dict[str, dict[str, float | None]]:
    """Mean accuracies by method over its results; the harmonic mean is that of the means, as in the papers."""
    rows = {}
    for method in dict.fromkeys(r.method for r in results):
        mine = [r for r in results if r.method == method]
        row = {}
        for split in mine[0].accuracies:
            values = [r.accuracies[split] for r in mine]
            row[split] = None if None in values else fmean(values)
        if row.get("new") is not None:
            row["harmonic_mean"] = harmonic_mean(row["base"], row["new"])
        rows[method] = row
    return rows


def show_results(results: Sequence[Result]) -> None:
    """Print a table with a row a method: parameters, accuracies in per cent, seconds of training."""
    first = results[0]
    seeds = len({r.seed for r in results})
    lines = {}
    for method, row in averages(results).items():
        mine = [r for r in results if r.method == method]
        lines[method] = {
            "parameters": mine[0].n_params,
            **{split.replace("_", " "): value for split, value in row.items()},
            "train s": fmean(r.seconds["train"] for r in mine),
        }
    what = f"{first.task}, {first.shots} shots, {seeds} seed{'s' * (seeds > 1)}, {first.backbone}"
    show(make(what, "method", lines))

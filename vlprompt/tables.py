"""Tables of results for the terminal."""

from collections.abc import Sequence
from statistics import fmean

from rich.console import Console
from rich.table import Table

from vlprompt.evaluate import harmonic_mean
from vlprompt.protocols import Result


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
    what = f"{first.task}, {first.shots} shots, {seeds} seed{'s' * (seeds > 1)}, {first.backbone}"
    table = Table(title=what, title_justify="left")
    table.add_column("method")
    for column in ("parameters", *(split.replace("_", " ") for split in first.accuracies), "train s"):
        table.add_column(column, justify="right")
    for method, row in averages(results).items():
        mine = [r for r in results if r.method == method]
        cells = ["–" if v is None else f"{v:.1f}" for v in row.values()]
        table.add_row(method, f"{mine[0].n_params:,}", *cells, f"{fmean(r.seconds['train'] for r in mine):.1f}")
    Console().print(table)

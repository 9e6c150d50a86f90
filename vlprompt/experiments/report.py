"""What the experiments' tables share: lines of rows, words about where numbers come from, and comparisons."""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from vlprompt.experiments.common import TINY
from vlprompt.papers import Number, Published, legend
from vlprompt.statistics import Measure, compare, holm, measure
from vlprompt.tables import Table, make
from vlprompt.tasks import task_names

SOURCE_ACCURACY = Measure("source", ("source",))
Lines = dict[str, pd.DataFrame]  # the rows that a line of a table is made of, by its name


def lines(rows: pd.DataFrame, protocol: str, name: Callable[[dict], str | None], order: Iterable[str] = ()) -> Lines:
    """The rows of a protocol by the name of their line: those of `order` first, then the others as they come.

    A row whose name is None has no place in the table. A ValueError where no row has one.
    """
    named: dict[str, list[int]] = {}
    for i, row in enumerate(rows.to_dict("records")):
        if row["protocol"] == protocol and (line := name(row)) is not None:
            named.setdefault(line, []).append(i)
    if not named:
        raise ValueError(f"none of the {len(rows)} rows is of this experiment ({protocol})")
    names = [*(line for line in order if line in named), *(line for line in named if line not in set(order))]
    return {line: rows.iloc[named[line]] for line in names}


def parameters(rows: pd.DataFrame) -> int | str:
    """How many numbers a method learns: one, or from the least to the most where it depends on the task."""
    low, high = int(rows["n_params"].min()), int(rows["n_params"].max())
    return low if low == high else f"{low:,}–{high:,}"


def cells(rows: pd.DataFrame, measures: Sequence[Measure]) -> dict[str, object]:
    """The measures of one line, by their names."""
    return {what.name: measure(rows, what) for what in measures}


def here(table: Lines) -> str:
    """Sentences on what our own numbers are: which CLIP, how many tasks, shots and seeds, which version."""
    rows = pd.concat(table.values())
    names = rows["backbone"].unique()
    clips = " and ".join("the small CLIP" if name == TINY else name for name in names)
    kind = "emoji task" if set(rows["task"]) <= set(task_names()) else "task"
    shots = ", ".join(str(k) for k in sorted(rows["shots"].unique()))
    weights, versions = (", ".join(str(v)[:8] for v in rows[column].unique()) for column in ("weights", "version"))
    tasks, seeds = many(rows["task"].nunique(), kind), many(rows["seed"].nunique(), "seed")
    told = [
        f"Here: {clips} on {tasks}, shots: {shots}, {seeds}; weights {weights}, version {versions}.",
        "In brackets: 95 % over seeds on the same tasks, where there are several that differ.",
        *(["Compare the order of methods with the papers', not the numbers."] if TINY in names else []),
    ]
    return " ".join(told)


def papers(tables: Sequence[Published], numbers: Iterable[object]) -> list[str]:
    """Sentences on what the papers' numbers are, and what their marks mean."""
    told = [f"Paper: {table.source}; {table.setting}." + f" {table.note}" * bool(table.note) for table in tables]
    marks = legend([n for n in numbers if isinstance(n, Number)])
    return [*told, *([f"Marks: {marks}."] if marks else [])]


def unequal(table: Lines) -> list[str]:
    """A sentence for each line that lacks tasks which others have: its means are not to be compared with theirs."""
    tasks = {line: set(rows["task"]) for line, rows in table.items()}
    everything = set().union(*tasks.values())
    return [
        f"{line} lacks {', '.join(sorted(everything - mine))}: its means are over fewer tasks than others'."
        for line, mine in tasks.items()
        if mine != everything
    ]


def comparisons(table: Lines, measures: Sequence[Measure], first: str, title: str) -> Table | None:
    """Each line against the `first`, and against the one before it: paired differences, and a test of the last measure.

    None where there are no two lines to compare. Lines that lack the last measure are left out.
    """
    names = [line for line, rows in table.items() if set(measures[-1].splits) <= set(rows["split"])]
    pairs = [(line, first) for line in names if line != first and first in names]
    pairs += [pair for pair in zip(names[1:], names, strict=False) if pair not in pairs]
    found = {f"{one} – {other}": [compare(table[one], table[other], m) for m in measures] for one, other in pairs}
    if not found:
        return None
    body = {pair: {m.name: d for m, d in zip(measures, row, strict=True)} for pair, row in found.items()}
    note = "Differences in points, in the same tasks with the same seeds; in brackets: 95 % over seeds."
    if tested := {pair: row[-1].p for pair, row in found.items() if row[-1].p is not None}:
        for pair, adjusted in zip(tested, holm(list(tested.values())), strict=True):
            body[pair] |= {f"p ({measures[-1].name})": p_words(tested[pair]), "p, Holm": p_words(adjusted)}
        note += " p: permutation test over tasks; Holm: for all lines of this table at once."
    return make(title, "difference", body, [note])


def p_words(p: float) -> str:
    """A p-value to three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"

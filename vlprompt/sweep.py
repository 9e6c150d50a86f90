"""Sweeps: many points, each run once and kept, whatever stops in between.

What is finished lies in a store, so the same call goes on where it stood. A point that fails is recorded with its
error, the others go on, and the next call tries it again.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import cache, partial

import pandas as pd
import torch
from tqdm import tqdm

from vlprompt.backbone import load
from vlprompt.points import Point, run_point
from vlprompt.store import DamagedError, Store
from vlprompt.workers import Failure, Outcomes, in_this_process, on_cluster, on_this_machine

Runner = Callable[[Point], list[dict]]  # rows of COLUMNS
Stamp = Callable[[Point], Mapping[str, object]]


@cache
def weights(backbone: str, pretrained: str | None) -> str:
    """The fingerprint of a backbone's weights."""
    return load(backbone, pretrained, device="cpu").fingerprint


def stamp(point: Point) -> dict[str, str]:
    """What the rows of a point must say to be its result today: its recipe, and the weights of its backbone."""
    return {"recipe": json.dumps(asdict(point.plan)), "weights": weights(point.backbone, point.pretrained)}


def run_points(
    points: Iterable[Point],
    store: Store,
    jobs: int | None = None,
    cluster: str | None = None,
    run: Runner = run_point,
    stamp: Stamp = stamp,
    progress: bool = True,
) -> pd.DataFrame:
    """Run the points that the store has no result of; the rows of all that are finished, in the points' order.

    `jobs` processes (by default, a core each), or the workers of the Dask `cluster`: its address, or "local". Stored
    rows that differ from `stamp(point)` (other weights, another recipe) or are damaged are named and made anew.
    An interruption is a KeyboardInterrupt that says what is done. `store.failures()` has the errors.
    """
    points = list(dict.fromkeys(points))
    todo = unfinished(points, store, stamp)
    done = set(points) - set(todo)
    finished = outcomes(todo, partial(on_one_thread, run), jobs or os.cpu_count() or 1, cluster)
    how = {"mininterval": 0.1 if sys.stderr.isatty() else 30, "smoothing": 0.05, "disable": not progress}
    try:
        with closing(finished), tqdm(total=len(points), initial=len(done), unit="point", **how) as bar:
            for point, outcome in finished:
                if keep(point, outcome, store, stamp):
                    done.add(point)
                bar.update()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped: {len(done)} of {len(points)} points are in {store.folder}; the same command goes on"
        ) from None
    return store.table(point for point in points if point in done)


def outcomes(points: Sequence[Point], run: Runner, jobs: int, cluster: str | None) -> Outcomes:
    """(point, rows or Failure) as they finish."""
    if not points:
        return (nothing for nothing in ())
    if cluster is not None:
        return on_cluster(points, run, cluster, jobs)
    return in_this_process(points, run) if jobs == 1 else on_this_machine(points, run, min(jobs, len(points)))


def on_one_thread(run: Runner, point: Point) -> list[dict]:
    """Run a point with torch on one thread, so that the workers share the cores and all compute the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run(point)
    finally:
        torch.set_num_threads(before)


def unfinished(points: Iterable[Point], store: Store, stamp: Stamp = stamp) -> list[Point]:
    """The points of which the store has no result that can be used; says which there are that cannot, and why."""
    todo, reasons = [], Counter()
    for point in points:
        try:
            rows = store.rows(point)
        except DamagedError as error:
            tell(str(error))
            rows = None
        why = "" if rows is None else differs(rows, stamp(point))
        if rows is None or why:
            todo.append(point)
        if why:
            reasons[why] += 1
    for why, count in reasons.items():
        tell(f"{count} stored result{'s have' if count > 1 else ' has'} {why}: run again")
    return todo


def keep(point: Point, outcome: list[dict] | Failure, store: Store, stamp: Stamp) -> bool:
    """Write what came of a point; whether it is a result."""
    if not isinstance(outcome, Failure):
        why = differs(outcome, stamp(point))  # a worker elsewhere may have other weights, or another version
        if not why:
            store.keep(point, outcome)
            return True
        outcome = Failure(f"its worker has {why}")
    store.fail(point, outcome)
    tell(f"failed: {words(point)}: {outcome.error}")
    return False


def differs(rows: list[dict], wanted: Mapping[str, object]) -> str:
    """What the rows say otherwise than wanted, in words; nothing where they agree."""
    wrong = ((k, row.get(k), v) for row in rows for k, v in wanted.items() if row.get(k) != v)
    return next((f"{name} {there}, not {here}" for name, there, here in wrong), "")


def tell(text: str) -> None:
    """A line on standard error, above the progress bar."""
    tqdm.write(text, file=sys.stderr)


def words(point: Point) -> str:
    """A point for people: what is not at its default."""
    return ", ".join(f"{name} {value}" for name, value in point.as_dict().items())

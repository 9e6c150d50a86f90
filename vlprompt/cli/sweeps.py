"""Many runs: a grid of points, on this machine or a cluster."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vlprompt.cli.app import DeviceOption, RootOption, app, say
from vlprompt.cli.world import bring_drawings

JobsOption = Annotated[int | None, typer.Option("--jobs", "-j", help="Processes at a time; by default the cores.")]
ClusterOption = Annotated[str | None, typer.Option(help="A Dask cluster: tcp://host:port, or local to make one.")]
TableOption = Annotated[Path | None, typer.Option(help="Also write the rows to this .csv or .parquet file.")]


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="The grid, in TOML; docs/sweeps.md has the keys.")],
    out: Annotated[Path | None, typer.Option(help="The folder of results; by default runs/NAME-OF-FILE.")] = None,
    table: TableOption = None,
    jobs: JobsOption = None,
    cluster: ClusterOption = None,
    device: DeviceOption = None,
    root: RootOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file and count the points.")] = False,
) -> None:
    """Run every point of a grid; goes on where it was stopped."""
    from vlprompt.grid import check_points, read_sweep
    from vlprompt.points import run_point
    from vlprompt.store import Store, check_table_path, write_table
    from vlprompt.sweep import run_points, unfinished

    check_workers(jobs, cluster)
    if table is not None:
        check_table_path(table)
    store = Store(out or Path("runs") / file.stem)
    points = check_points(read_sweep(file), device if cluster in (None, "local") else None)
    if dry_run:
        print(f"{len(points)} points, {len(points) - len(unfinished(points, store))} of them done in {store.folder}")
        return
    bring_drawings(task for point in points for task in (point.task, *point.targets))
    frame = run_points(points, store, jobs, cluster, partial(run_point, device=device))
    if table is not None:
        write_table(frame, table)
        say(f"table: {table}")
    failed = store.failures().keys() & set(points)
    print(f"{len(points) - len(failed)} of {len(points)} points done, {len(failed)} failed; results in {store.folder}")
    if failed:
        say(f"the errors are in {store.folder / 'failed'}; the same command tries these points again")
        raise typer.Exit(1)


def check_workers(jobs: int | None, cluster: str | None) -> None:
    """A ValueError for a number of processes that cannot be."""
    from vlprompt.tasks.task import check_range

    if jobs is None:
        return
    check_range("jobs", jobs, 1, 1024)
    if cluster not in (None, "local"):
        raise ValueError("--jobs is for this machine; a cluster has the workers that it has")

"""The papers' experiments: run what is missing of one, and show its table with the papers' numbers beside."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vlprompt.cli.app import BackboneOption, DeviceOption, PretrainedOption, RootOption, app, names_in, say
from vlprompt.cli.sweeps import ClusterOption, JobsOption, TableOption, check_workers
from vlprompt.cli.world import bring_drawings

SEEDS = 3


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="An experiment; without one they are listed.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks by commas, or all: those of the experiment.")] = None,
    seeds: Annotated[int | None, typer.Option(help=f"How many seeds, 1 to 100; by default {SEEDS}.")] = None,
    methods: Annotated[str | None, typer.Option(help="By commas; by default those of the experiment.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of results; by default runs/NAME.")] = None,
    table: TableOption = None,
    stored: Annotated[Path | None, typer.Option("--from", help="Show these rows (.csv, .parquet, folder).")] = None,
    jobs: JobsOption = None,
    cluster: ClusterOption = None,
    backbone: BackboneOption = "tiny",
    pretrained: PretrainedOption = None,
    device: DeviceOption = None,
    root: RootOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
) -> None:
    """Run an experiment of the papers, or go on with it: a table of our numbers beside theirs, and pictures."""
    from vlprompt.experiments import EXPERIMENTS
    from vlprompt.tasks.task import check_range, nearest

    if name is None or list_:
        for known, module in EXPERIMENTS.items():
            print(f"{known:16} {module.__doc__.splitlines()[0]}")
        return
    if name not in EXPERIMENTS:
        raise ValueError(nearest("experiment", name, list(EXPERIMENTS)))
    if stored is not None:
        given = {"--tasks": tasks, "--seeds": seeds, "--methods": methods, "--table": table, "--cluster": cluster}
        if wrong := [option for option, value in given.items() if value is not None]:
            raise ValueError(f"--from shows the rows that are there, all of them: leave out {wrong[0]}")
        show(name, read_rows(stored), markdown, out)
        return
    check_range("seeds", SEEDS if seeds is None else seeds, 1, 100)
    check_workers(jobs, cluster)
    points = EXPERIMENTS[name].points(
        None if tasks in (None, "all") else names_in(tasks), range(1, (seeds or SEEDS) + 1),
        names_in(methods) if methods else None, backbone=backbone, pretrained=pretrained,
    )  # fmt: skip
    out = out or Path("runs") / name
    rows, failed = run(points, out, table, jobs, cluster, device)
    if len(rows):
        show(name, rows, markdown, out)
    if failed:
        say(
            f"{failed} of {len(points)} points failed; the errors are in {out / 'failed'}, the same command tries again"
        )
        raise typer.Exit(1)


def run(points, out: Path, table: Path | None, jobs: int | None, cluster: str | None, device: str | None):
    """The rows of all points, those made anew that are not in the folder yet; and how many points failed."""
    from vlprompt.grid import check_points
    from vlprompt.points import run_point
    from vlprompt.store import Store, check_table_path, write_table
    from vlprompt.sweep import run_points

    if table is not None:
        check_table_path(table)
    store = Store(out)
    points = check_points(points, device if cluster in (None, "local") else None)
    bring_drawings(task for point in points for task in (point.task, *point.targets))
    say(f"{len(points)} points; results in {out}")
    rows = run_points(points, store, jobs, cluster, partial(run_point, device=device))
    if table is not None:
        write_table(rows, table)
        say(f"table: {table}")
    return rows, len(store.failures().keys() & set(points))


def read_rows(path: Path):
    """Tidy rows from a file, or from the folder of a sweep or an experiment."""
    from vlprompt.store import Store, read_table

    if path.is_file():
        return read_table(path)
    rows = Store(path).table() if path.is_dir() else []
    if not len(rows):
        raise ValueError(f"there are no results in {path}" if path.is_dir() else f"there is no file or folder {path}")
    return rows


def show(name: str, rows, markdown: bool, out: Path | None) -> None:
    """Print an experiment's tables, and save its pictures where there is a folder for them."""
    from vlprompt import tables
    from vlprompt.experiments import EXPERIMENTS
    from vlprompt.plots import save

    module = EXPERIMENTS[name]
    for made in module.tables(rows):
        if markdown:
            print(tables.markdown(made))
        else:
            tables.show(made)
    if out is not None and hasattr(module, "pictures"):
        for picture, (drawn, _) in module.pictures(rows).items():
            save(drawn, out / f"{picture}.png")
            say(f"picture: {out / f'{picture}.png'}")

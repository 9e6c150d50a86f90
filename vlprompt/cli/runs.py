"""One run of one method, and a comparison of several."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from vlprompt.cli.app import (
    BackboneOption,
    DeviceOption,
    JsonOption,
    PretrainedOption,
    RootOption,
    ShotsOption,
    TaskOption,
    app,
    names_in,
    say,
)
from vlprompt.cli.world import bring_drawings


@app.command()
def run(
    method: Annotated[str, typer.Argument(help="A method; `vlprompt methods` lists them.")],
    task: TaskOption,
    shots: ShotsOption = 16,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of the training images and the method.")] = 1,
    protocol: Annotated[str, typer.Option(help="base-to-new, few-shot, cross-dataset or domain.")] = "base-to-new",
    targets: Annotated[str | None, typer.Option(help="Of cross-dataset: tasks, by commas; by default all.")] = None,
    depth: Annotated[int | None, typer.Option(help="Layers that get prompts of their own, J.")] = None,
    length: Annotated[int | None, typer.Option(help="Prompt tokens a layer, M.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    augment: Annotated[bool, typer.Option(help="Show images in files in random views.")] = True,
    checkpoint: Annotated[Path | None, typer.Option(help="A file to go on from after an interruption.")] = None,
    backbone: BackboneOption = "tiny",
    pretrained: PretrainedOption = None,
    device: DeviceOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train one method on one task and test it."""
    from vlprompt.points import Point, as_pairs
    from vlprompt.tables import show_results

    changes = as_pairs("changes", {k: v for k, v in {"epochs": epochs, "lr": lr}.items() if v is not None})
    others = other_tasks(task, protocol, targets)
    point = Point(
        method, task, protocol, shots, seed, depth, length,
        changes=changes, targets=others, augment=augment, backbone=backbone, pretrained=pretrained,
    )  # fmt: skip
    point.check()
    result = run_one(point, open_clip(point, device), checkpoint)
    if as_json:
        print(json.dumps(result.as_dict()))
    else:
        show_results([result])


@app.command()
def compare(
    task: TaskOption = "birds-and-sea-life",
    methods: Annotated[str, typer.Option(help="Separated by commas.")] = "zero-shot,linear-probe,coop,cocoop,maple",
    shots: ShotsOption = 16,
    seeds: Annotated[int, typer.Option(help="How many seeds, 1 to 20.")] = 3,
    backbone: BackboneOption = "tiny",
    pretrained: PretrainedOption = None,
    device: DeviceOption = None,
    root: RootOption = None,
    picture: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("comparison.png"),
) -> None:
    """Compare methods from base to new classes on one task: a table, and a picture."""
    from vlprompt.plots import plot_accuracies, save
    from vlprompt.points import Point
    from vlprompt.tables import averages, show_results
    from vlprompt.tasks.task import check_range

    check_range("seeds", seeds, 1, 20)
    points = [
        Point(method, task, shots=shots, seed=seed, backbone=backbone, pretrained=pretrained)
        for method in names_in(methods)
        for seed in range(1, seeds + 1)
    ]
    for point in points:
        point.check()
    clip = open_clip(points[0], device)
    bring_drawings([task])
    results = []
    for point in points:
        say(f"{point.method}, seed {point.seed}")
        results.append(run_one(point, clip))
    show_results(results)
    title = f"{task}: base and new classes, {shots} shots"
    save(plot_accuracies(averages(results), title)[0], picture)
    say(f"picture: {picture}")


def other_tasks(task: str, protocol: str, targets: str | None) -> tuple[str, ...]:
    """The tasks that a cross-dataset run is tested on: those named, or all others."""
    from vlprompt.tasks import task_names

    if targets is not None and protocol != "cross-dataset":
        raise ValueError("--targets goes with --protocol cross-dataset")
    if protocol != "cross-dataset":
        return ()
    return tuple(name for name in (names_in(targets) if targets else task_names()) if name != task)


def open_clip(point, device: str | None):
    """The frozen CLIP of a point; says which device it runs on."""
    from vlprompt import load

    clip = load(point.backbone, pretrained=point.pretrained, device=device)
    say(f"{clip.name} on {clip.device}")
    return clip


def run_one(point, clip, checkpoint: Path | None = None):
    """The result of a point on a CLIP that is already there."""
    from vlprompt.points import make_run
    from vlprompt.protocols import PROTOCOLS

    return PROTOCOLS[point.protocol](make_run(point, clip, checkpoint=checkpoint, progress=sys.stderr.isatty()))

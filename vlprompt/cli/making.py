"""Making the weights, measuring the engine, opening the course."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from vlprompt.cli.app import DeviceOption, JsonOption, app, names_in, say
from vlprompt.paths import PACKAGE, replace_whole


@app.command()
def pretrain(
    folder: Annotated[Path, typer.Option(help="Where checkpoint and weights go.")] = Path("runs/tiny-clip"),
    steps: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, scenes and captions.")] = 0,
    device: DeviceOption = "cpu",
) -> None:
    """Train the small CLIP from scratch (two hours on two cores); goes on where it was interrupted."""
    from vlprompt.pretrain import Recipe, pretrain
    from vlprompt.tasks.task import check_range

    recipe = Recipe(seed=seed) if steps is None else Recipe(seed=seed, steps=steps)
    check_range("steps", recipe.steps, 1, 10**7)
    check_range("seed", seed, 0, 2**31 - 1)
    pretrain(folder, recipe, device=device)
    say(f"weights in {folder}; to use them, copy config.json and weights.safetensors to data/tiny-clip")


@app.command()
def bench(
    backbone: Annotated[str, typer.Option(help="A name of open_clip, with random weights, or tiny.")] = "ViT-B-16",
    classes: Annotated[int, typer.Option(help="So many class names of ImageNet.")] = 100,
    repeats: Annotated[int, typer.Option(help="How often both ways run, in turn.")] = 3,
    threads: Annotated[int | None, typer.Option(help="CPU threads; by default what torch takes.")] = None,
    rows: Annotated[str | None, typer.Option(help="Rows of the table, separated by commas; by default all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the JSON object to this file.")] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the engine against the way of the papers' codes: the same numbers, in what time and memory."""
    import torch

    from vlprompt import load
    from vlprompt.bench import NAMES, bench, check_rows, show
    from vlprompt.tasks.task import check_range

    check_range("classes", classes, 1, len(NAMES))
    check_range("repeats", repeats, 1, 100)
    chosen = check_rows(names_in(rows) if rows else None)
    if threads is not None:
        check_range("threads", threads, 1, os.cpu_count() or 1)
        torch.set_num_threads(threads)
    clip = load(backbone, pretrained=None if backbone == "tiny" else "random", device=device)
    say(f"{clip.name} on {clip.device}")
    result = bench(clip, NAMES[:classes], rows=chosen, repeats=repeats)
    if out is not None:
        with replace_whole(out) as temporary:
            temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        say(f"result: {out}")
    if as_json:
        print(json.dumps(result))
    else:
        show(result)
    if not result["agree"]:
        say("vlprompt: the two ways differ by more than they may: see `apart` in each row of the JSON object")
        raise typer.Exit(1)


@app.command()
def lab(
    folder: Annotated[Path | None, typer.Argument(help="Your copy of the course; by default this checkout's.")] = None,
) -> None:
    """Open the course in JupyterLab; the checks that pass are noted for `vlprompt progress`."""
    from vlprompt import progress

    notebooks = folder or PACKAGE.parent / "notebooks"
    first = next((path for path in sorted(notebooks.rglob("00_start.ipynb")) if ".ipynb_" not in str(path)), None)
    if first is None:
        raise ValueError(
            f"the lessons are not in {notebooks}: `vlprompt lab` works from a checkout of the repository, or give the "
            "folder of a copy"
        )
    if not find_spec("jupyterlab"):
        raise ValueError("JupyterLab is not installed: pip install -e '.[course]'")
    workspace = notebooks if (notebooks / progress.FILE).is_file() else progress.own_workspace()
    if not (workspace / progress.FILE).is_file():
        workspace.mkdir(parents=True, exist_ok=True)
        progress.start(workspace)
    environment = {**os.environ, "VLPROMPT_WORKSPACE": str(workspace.resolve())}
    subprocess.run([sys.executable, "-m", "jupyterlab", str(first)], check=False, env=environment)

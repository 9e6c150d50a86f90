"""The command line: `vlprompt data | tasks | methods | run | compare | pretrain | bench | lab`.

Results go to standard output, everything else (progress, notes, errors) to standard error. A user's slip is one
sentence and exit status 2, never a traceback.
"""

import inspect
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from vlprompt.paths import replace_whole
from vlprompt.tasks.errors import DrawingsError, FetchError


class Commands(TyperGroup):
    """Turns a person's slip, and an interruption, into one sentence on standard error."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say(str(stop) or "stopped; the same command goes on where it can")
            raise typer.Exit(130) from None
        except (ValueError, FetchError, DrawingsError, FloatingPointError, OSError) as error:
            if os.environ.get("VLPROMPT_DEBUG"):
                raise
            say(f"vlprompt: {error}")
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    help="Prompt learning for vision-language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TaskOption = Annotated[str, typer.Option("--task", "-t", help="A task; `vlprompt tasks` lists them.")]
ShotsOption = Annotated[int, typer.Option("--shots", "-k", help="Training images a class, 1 to 64.")]
BackboneOption = Annotated[str, typer.Option("--backbone", help="tiny, or a name of open_clip.")]
PretrainedOption = Annotated[str | None, typer.Option(help="Weights: a tag of open_clip (openai), a file, or random.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; by default the GPU where there is one.")]


def say(text: str) -> None:
    """A note for the person, on standard error."""
    print(text, file=sys.stderr, flush=True)


@app.command()
def data(again: Annotated[bool, typer.Option(help="Fetch and draw anew, even what is there.")] = False) -> None:
    """Bring the emoji packages from the npm registry and draw them: the images of all tasks."""
    from vlprompt.tasks.drawings import load_drawings, make_drawings, remove_drawings

    if again:
        remove_drawings()
    path = make_drawings()
    say(f"{len(load_drawings().pixels):,} drawings in {path}")


@app.command()
def tasks() -> None:
    """List the tasks, one a line, the name first."""
    from vlprompt.tasks import load, task_names

    for name in task_names():
        task = load(name)
        print(f"{name:22} {len(task.classnames):2} classes  {task.group:11} {task.about}")


@app.command()
def methods() -> None:
    """List the methods, one a line, the name first."""
    from vlprompt.methods import METHODS

    for name, make in METHODS.items():
        made = getattr(make, "func", make)  # functools.partial, or the class itself
        fixed = ", ".join(f"{k}={v}" for k, v in getattr(make, "keywords", {}).items())
        print(f"{name:17} {inspect.getdoc(made).splitlines()[0]}" + (f" ({fixed})" if fixed else ""))


@app.command()
def run(
    method: Annotated[str, typer.Argument(help="A method; `vlprompt methods` lists them.")],
    task: TaskOption,
    shots: ShotsOption = 16,
    seed: Annotated[int, typer.Option("--seed", "-s", help="Of the training images and the method.")] = 1,
    protocol: Annotated[str, typer.Option(help="base-to-new or few-shot.")] = "base-to-new",
    depth: Annotated[int | None, typer.Option(help="Layers that get prompts of their own, J.")] = None,
    length: Annotated[int | None, typer.Option(help="Prompt tokens a layer, M.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    lr: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A file to go on from after an interruption.")] = None,
    backbone: BackboneOption = "tiny",
    pretrained: PretrainedOption = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train one method on one task and test it."""
    options = {k: v for k, v in {"depth": depth, "length": length}.items() if v is not None}
    if length is not None and length > len(["a", "photo", "of", "a"]) and takes(method, "init"):
        options["init"] = None  # longer than the first words: random vectors, as in the authors' codes
    changes = {k: v for k, v in {"epochs": epochs, "lr": lr}.items() if v is not None}
    check_names([method], protocol, options)
    check_numbers(shots, seed)
    world, clip = open_world(task, backbone, pretrained, device)
    result = run_one(method, clip, world, protocol, shots, seed, options, changes, checkpoint)
    if as_json:
        print(json.dumps(result.as_dict()))
    else:
        from vlprompt.tables import show_results

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
    picture: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("comparison.png"),
) -> None:
    """Compare methods from base to new classes on one task: a table, and a picture."""
    from vlprompt.plots import plot_accuracies, save
    from vlprompt.tables import averages, show_results
    from vlprompt.tasks.drawings import drawings_path
    from vlprompt.tasks.task import check_range

    names = [name.strip() for name in methods.split(",")]
    check_names(names, "base-to-new", {})
    check_range("seeds", seeds, 1, 20)
    check_numbers(shots, 1)
    world, clip = open_world(task, backbone, pretrained, device)
    if not drawings_path().is_file():
        data()
    results = []
    for name in names:
        for seed in range(1, seeds + 1):
            say(f"{name}, seed {seed}")
            results.append(run_one(name, clip, world, "base-to-new", shots, seed, {}, {}))
    show_results(results)
    title = f"{task}: base and new classes, {shots} shots"
    save(plot_accuracies(averages(results), title)[0], picture)
    say(f"picture: {picture}")


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the engine against the way of the papers' codes: the same numbers, in what time and memory."""
    import torch

    from vlprompt import load
    from vlprompt.bench import NAMES, bench, check_rows, show
    from vlprompt.tasks.task import check_range

    check_range("classes", classes, 1, len(NAMES))
    check_range("repeats", repeats, 1, 100)
    chosen = check_rows([row.strip() for row in rows.split(",")] if rows else None)
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
def lab() -> None:
    """Open the course in JupyterLab."""
    notebooks = Path(__file__).resolve().parent.parent / "notebooks"
    if not notebooks.is_dir():
        raise ValueError(
            f"the notebooks are not in {notebooks}: `vlprompt lab` works from a checkout of the repository"
        )
    if not find_spec("jupyterlab"):
        raise ValueError("JupyterLab is not installed: pip install -e '.[course]'")
    subprocess.run([sys.executable, "-m", "jupyterlab", str(notebooks / "00_start.ipynb")], check=False)


def check_names(methods: list[str], protocol: str, options: dict) -> None:
    """Refuse unknown methods and protocols, and options that a method does not take, before any work."""
    from vlprompt.methods import METHODS
    from vlprompt.protocols import PROTOCOLS
    from vlprompt.tasks.task import nearest

    for method in methods:
        if method not in METHODS:
            raise ValueError(nearest("method", method, list(METHODS)))
        for option in options:
            if not takes(method, option):
                raise ValueError(f"{method} takes no --{option}")
    if protocol not in PROTOCOLS:
        raise ValueError(nearest("protocol", protocol, list(PROTOCOLS)))


def takes(method: str, option: str) -> bool:
    """Whether a method's constructor has such an argument."""
    from vlprompt.methods import METHODS

    return method in METHODS and option in inspect.signature(METHODS[method]).parameters


def check_numbers(shots: int, seed: int) -> None:
    """Refuse shots and seeds that are out of range, before any work."""
    from vlprompt.tasks.task import SHOTS, check_range

    check_range("shots", shots, *SHOTS)
    check_range("seed", seed, 0, 2**31 - 1)


def open_world(task: str, backbone: str, pretrained: str | None, device: str | None):
    """The task and the frozen CLIP; says which device it runs on."""
    from vlprompt import load
    from vlprompt.tasks import load as load_task

    world = load_task(task)
    clip = load(backbone, pretrained=pretrained, device=device)
    say(f"{clip.name} on {clip.device}")
    return world, clip


def run_one(method, clip, task, protocol, shots, seed, options, changes, checkpoint=None):
    """One run by the recipe of its method, for the small CLIP or as in the paper."""
    from vlprompt.protocols import PROTOCOLS, Run
    from vlprompt.recipes import recipe

    plan = recipe(method, "tiny" if clip.name == "tiny" else "paper", **changes)
    return PROTOCOLS[protocol](Run(method, clip, task, plan, shots, seed, options, checkpoint, sys.stderr.isatty()))


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads must not fight the busy ones
    app()

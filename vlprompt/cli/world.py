"""What there is: the images, the tasks, the methods."""

import inspect
from collections.abc import Iterable
from typing import Annotated

import typer

from vlprompt.cli.app import app, say


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
    """List the tasks, one a line, the name first; then the papers' data sets, which lie in files."""
    from vlprompt.tasks import dataset_names, load, task_names

    for name in task_names():
        task = load(name)
        print(f"{name:22} {len(task.classnames):2} classes  {task.group:11} {task.about}")
    for name in dataset_names():
        print(f"{name:22} in files: --root, or VLPROMPT_DATASETS, says below which folder")


@app.command()
def methods() -> None:
    """List the methods, one a line, the name first."""
    from vlprompt.methods import METHODS

    for name, make in METHODS.items():
        made = getattr(make, "func", make)  # functools.partial, or the class itself
        fixed = ", ".join(f"{k}={v}" for k, v in getattr(make, "keywords", {}).items())
        print(f"{name:17} {inspect.getdoc(made).splitlines()[0]}" + (f" ({fixed})" if fixed else ""))


def bring_drawings(tasks: Iterable[str]) -> None:
    """Draw the images, where they are not there yet and one of the tasks shows them."""
    from vlprompt.tasks import task_names
    from vlprompt.tasks.drawings import drawings_path

    if set(tasks) & set(task_names()) and not drawings_path().is_file():
        data()

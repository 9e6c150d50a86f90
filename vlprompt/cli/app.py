"""What all commands share: the application, its errors, and the options that several take.

Results go to standard output, everything else (progress, notes, errors) to standard error. A user's slip is one
sentence and exit status 2, never a traceback.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """Turns a person's slip, and an interruption, into one sentence on standard error."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say(str(stop) or "stopped; the same command goes on where it can")
            raise typer.Exit(130) from None
        except Exception as error:
            if os.environ.get("VLPROMPT_DEBUG") or not isinstance(error, slips()):
                raise
            say(f"vlprompt: {error}")
            raise typer.Exit(2) from None


def slips() -> tuple[type[Exception], ...]:
    """The errors that are a person's slip or their machine's, and say what to do."""
    from vlprompt.tasks.errors import DrawingsError, FetchError

    return ValueError, FetchError, DrawingsError, FloatingPointError, OSError


app = typer.Typer(
    cls=Commands,
    help="Prompt learning for vision-language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def set_root(folder: Path | None) -> Path | None:
    """Say where data sets lie, to this process and to the workers that it starts."""
    if folder is not None:
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}; give the one that holds the data sets")
        os.environ["VLPROMPT_DATASETS"] = str(folder)
    return folder


def one_line(message, category, filename, lineno, line=None) -> str:
    """A warning as a person reads it: what it says."""
    return f"vlprompt: {message}\n"


TaskOption = Annotated[
    str, typer.Option("--task", "-t", help="A task of `vlprompt tasks`, or your own folder or .csv.")
]
ShotsOption = Annotated[int, typer.Option("--shots", "-k", help="Training images a class, 1 to 64.")]
BackboneOption = Annotated[str, typer.Option("--backbone", help="tiny, or a name of open_clip.")]
PretrainedOption = Annotated[str | None, typer.Option(help="Weights: a tag of open_clip (openai), a file, or random.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; by default the GPU where there is one.")]
RootOption = Annotated[
    Path | None,
    typer.Option("--root", callback=set_root, help="The folder of the papers' data sets, if not in VLPROMPT_DATASETS."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def say(text: str) -> None:
    """A note for the person, on standard error."""
    print(text, file=sys.stderr, flush=True)


def names_in(text: str) -> list[str]:
    """Names that are separated by commas."""
    return [name.strip() for name in text.split(",")]


def main() -> None:
    """Run the command line."""
    warnings.formatwarning = one_line
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads must not fight the busy ones
    app()

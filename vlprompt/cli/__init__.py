"""The command line: `vlprompt --help` lists the commands, and each module here holds those that belong together."""

# Each adds its commands to `app`, in the order that the help shows.
from vlprompt.cli import world, runs, sweeps, experiments, classroom, making, explore  # noqa: F401, I001
from vlprompt.cli.app import app, main

__all__ = ["app", "main"]

"""The panels in a browser without Jupyter's frame, for showing in class."""

from importlib.util import find_spec
from typing import Annotated

import typer

from vlprompt.cli.app import app, say


@app.command()
def explore(
    port: Annotated[int, typer.Option("--port", "-p", help="Of this machine; 0 takes one that is free.")] = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page, or only say where.")] = True,
) -> None:
    """Show the panels in a browser, without Jupyter’s frame; only this machine reaches them, no network is asked."""
    for package in ("voila", "ipywidgets", "anywidget"):
        if not find_spec(package):
            raise ValueError(f"{package} is not installed: pip install -e '.[course]'")
    from vlprompt.widgets.serve import serve

    serve(port, say, browser)
    say("ended")

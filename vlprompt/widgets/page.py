"""All panels behind one row of buttons: the page of `vlprompt explore`."""

import html
from collections.abc import Callable, Mapping
from functools import cache, partial

import ipywidgets as widgets

from vlprompt.backbone import load
from vlprompt.tasks import load as load_task
from vlprompt.widgets import compare_methods, explore, train_few, try_templates, view_pixels, where_prompts_go
from vlprompt.widgets.common import Panel

TASK = "plants"  # of the panels on pictures; the explorer has a control for it


def page() -> widgets.VBox:
    """The explorer of depth and length first; the others are made when they are asked for."""
    first, backbone, task = cache(explore), cache(partial(load, "tiny")), cache(partial(load_task, TASK))
    return choose(
        {
            "Depth and length": first,
            "Where the prompts go": lambda: where_prompts_go(first()),  # with the explorer's controls
            "Templates": lambda: try_templates(backbone(), task()),
            "Prompts in pixels": lambda: view_pixels(backbone(), task()),
            "Methods": lambda: compare_methods(train_few(backbone(), task()), task()),
        }
    )


def choose(panels: Mapping[str, Callable[[], Panel]]) -> widgets.VBox:
    """A row of buttons and one of the panels below; each is made once, at its first turn.

    A panel that cannot be made is said in its place, and tried again at its next turn.
    """
    made: dict[str, Panel] = {}
    buttons = widgets.ToggleButtons(options=list(panels), tooltips=[f"Show: {name}" for name in panels])
    buttons.style.button_width = "auto"
    place = widgets.VBox()

    def show(_change: object = None) -> None:
        name = buttons.value
        try:
            if name not in made:
                place.children = [widgets.HTML(f"<p role='status'>{html.escape(name)}: one moment, please.</p>")]
                made[name] = panels[name]()
            place.children = [made[name].box]
        except Exception as error:  # in a class room, whoever shows it must see what is wrong
            said = html.escape(f"{type(error).__name__}: {error}")
            place.children = [widgets.HTML(f"<p role='alert'><b>This cannot be shown.</b> {said}</p>")]

    buttons.observe(show, "value")
    show()
    return widgets.VBox([buttons, place])

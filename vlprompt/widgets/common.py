"""What every panel is: a picture that follows its controls, and a still of it for a page without a kernel."""

import gc
import html
import io
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import ipywidgets as widgets
from matplotlib.figure import Figure

from vlprompt.widgets.voice import Voice

ONE_AT_A_TIME = threading.RLock()  # matplotlib draws on one thread at a time, and a training has a thread of its own


@contextmanager
def no_collection() -> Iterator[None]:
    """Put off the collection of garbage: with torch in memory a full one takes half a second, and drawing calls it."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@dataclass(frozen=True)
class View:
    """What a panel shows: a figure, one or two sentences that say the same in words, and HTML below (a table)."""

    figure: Figure
    words: str
    below: str = ""

    @cached_property
    def png(self) -> bytes:
        """The figure as a picture."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 3})
        return buffer.getvalue()

    @property
    def html(self) -> str:
        """The whole as HTML; the figure's paper stays white on a dark page."""
        words = html.escape(self.words)
        picture = (
            f'<img alt="{words}" src="data:image/png;base64,{b64encode(self.png).decode()}" style="max-width:100%">'
        )
        caption = f"<figcaption aria-hidden='true'>{words}</figcaption>"  # a screen reader has them from the picture
        return f"<figure style='margin:0'>{picture}{caption}</figure>{self.below}"


class Panel:
    """A picture that follows its controls.

    `controls` are widgets by name, each with a description; `draw(**values)` is called with their values, at once and
    at every change, and returns the View. What `draw` cannot do is said in the panel: no error is lost in a log.
    `extra` are widgets of the panel's own below the controls, such as a button. Two panels share nothing.
    """

    def __init__(
        self,
        title: str,
        controls: Mapping[str, widgets.ValueWidget],
        draw: Callable[..., View],
        extra: Sequence[widgets.Widget] = (),
    ):
        self.title, self.controls, self.draw = title, dict(controls), draw
        self.view: View | None = None
        self.error = ""
        self.picture, self.voice = widgets.HTML(), Voice()
        row = widgets.Box([*self.controls.values()], layout=widgets.Layout(flex_flow="row wrap", align_items="center"))
        self.box = widgets.VBox([widgets.HTML(f"<h4>{html.escape(title)}</h4>"), row, *extra, self.picture, self.voice])
        self.box.add_class("vlprompt-panel")
        for control in self.controls.values():
            control.observe(self.update, "value")
            if isinstance(control, widgets.SelectionSlider):
                control.add_class("vlprompt-list")  # for voice.js
        self.update()

    def update(self, _change: object = None) -> None:
        """Draw anew what the controls say now."""
        with ONE_AT_A_TIME, no_collection():
            try:
                self.view = self.draw(**{name: control.value for name, control in self.controls.items()})
                self.error, shown = "", self.view.html
            except Exception as error:  # whatever it is, the reader of the panel must see it
                slip = isinstance(error, ValueError)  # a user's: its sentence says all
                self.view, self.error = None, str(error) if slip else f"{type(error).__name__}: {error}"
                shown = f"<p role='alert'><b>This cannot be shown.</b> {html.escape(self.error)}</p>"
            self.picture.value = shown
            self.voice.words = self.view.words if self.view else self.error

    def set(self, **values: object) -> None:
        """Give several controls their values at once, as a user would one by one, with one new picture at the end."""
        chosen = [self.controls[name] for name in values]
        for control in chosen:
            control.unobserve(self.update, "value")
        try:
            for control, value in zip(chosen, values.values(), strict=True):
                control.value = value
        finally:
            for control in chosen:
                control.observe(self.update, "value")
        self.update()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict, dict]:
        """The live widget, with a still for a page without a kernel, and a title where there are no pictures at all.

        The title is the same on every machine; the words, which hold measured numbers, are the still's alt text.
        """
        live = {**self.box._repr_mimebundle_(), "text/plain": f"Panel: {self.title}"}
        if self.view is None:
            return {**live, "text/plain": f"Panel: {self.title}. {self.error}"}, {}
        return {**live, "image/png": b64encode(self.view.png).decode()}, {"image/png": {"alt": self.view.words}}

"""What a panel says to those who do not see it."""

from pathlib import Path

import anywidget
import traitlets


class Voice(anywidget.AnyWidget):
    """Unseen in a panel: names its sliders for a screen reader, which ipywidgets does not, and speaks new `words`."""

    _esm = Path(__file__).with_name("voice.js")
    _css = Path(__file__).with_name("panel.css")
    words = traitlets.Unicode("").tag(sync=True)

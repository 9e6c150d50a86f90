"""What a person sees of a panel, and does with it, without a browser."""

import ipywidgets as widgets


def parts(widget):
    """A widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def shown(panel):
    """All HTML that a panel shows."""
    return "\n".join(part.value for part in parts(panel.box) if isinstance(part, widgets.HTML))


def buttons(panel):
    """A panel's buttons by what stands on them."""
    return {part.description: part for part in parts(panel.box) if isinstance(part, widgets.Button)}


def press(panel, label):
    """Press a button, unless it is off, as a browser would not send it then."""
    button = buttons(panel)[label]
    assert not button.disabled, f"the button {label!r} is off"
    button.click()

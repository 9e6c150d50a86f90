"""What a panel says to those who do not see it; how its sliders are named is tested in a browser."""

import ipywidgets as widgets
from matplotlib.figure import Figure

from vlprompt.widgets.common import Panel, View


def panel() -> Panel:
    def draw(number: int, size: int) -> View:
        if number == 3:
            raise ValueError("there is no third picture")
        return View(Figure(figsize=(1, 1)), f"Picture {number} of size {size}.")

    return Panel(
        "Pictures",
        {
            "number": widgets.IntSlider(1, 1, 3, description="Number"),
            "size": widgets.SelectionSlider(options=[1, 2, 4], description="Size"),
        },
        draw,
    )


def test_the_words_of_every_new_picture_are_spoken():
    shown = panel()
    assert shown.voice.words == "Picture 1 of size 1."
    shown.controls["size"].value = 4
    assert shown.voice.words == "Picture 1 of size 4."
    shown.set(number=2, size=2)
    assert shown.voice.words == "Picture 2 of size 2."


def test_what_cannot_be_drawn_is_spoken_too_and_what_can_again():
    shown = panel()
    shown.controls["number"].value = 3
    assert "there is no third picture" in shown.voice.words
    shown.controls["number"].value = 2
    assert shown.voice.words == "Picture 2 of size 1."


def test_only_sliders_of_lists_are_marked_for_the_script():
    controls = panel().controls
    assert "vlprompt-list" in controls["size"]._dom_classes
    assert "vlprompt-list" not in controls["number"]._dom_classes


def test_the_script_and_the_style_come_with_the_package():
    voice = panel().voice
    assert "aria-label" in str(voice._esm)
    assert ".vlprompt-voice" in str(voice._css)

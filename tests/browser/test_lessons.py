"""Lessons with panels, as they are, in JupyterLab: all cells run, and the panel answers the mouse.

The other lessons' panels are tested on the page of `vlprompt explore`, and their cells by nbval: this takes its time.
"""

import shutil
from pathlib import Path

import pytest
from hands import Notebook, OnPage
from pages import watch
from playwright.sync_api import expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SLIDERS = {  # one of each lesson's first panel
    "02_clip_zero_shot": "Which of each class",
    "08_depth_and_length": "Depth J",
}


@pytest.fixture
def lesson(chromium, lab, request):
    """A copy of a lesson, all of it run; what the console says is looked at in the end."""
    name = f"{request.param}.ipynb"
    shutil.copy(NOTEBOOKS / name, lab.folder / name)
    with watch(chromium) as watched:
        yield Notebook(watched.page, lab, name).run()
    lab.end_kernels()
    assert watched.troubles == []


@pytest.mark.parametrize(("lesson", "slider"), SLIDERS.items(), indirect=["lesson"], ids=SLIDERS)
def test_a_lesson_runs_and_its_panel_answers(lesson, slider):
    page = lesson.page
    expect(page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    panel = OnPage(page.locator(".vlprompt-panel").first)
    before = panel.source
    panel.drag(slider, 1.0)
    panel.changed(before)
    before = panel.source
    panel.slider(slider).press("Home")
    panel.changed(before)

"""The lessons with panels, as they are, in JupyterLab: all cells run, and the panel answers the mouse."""

import shutil
from pathlib import Path

import pytest
from hands import Notebook
from playwright.sync_api import expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SLIDERS = {  # one of each lesson's panel, and what the picture says when it is at its least
    "02_clip_zero_shot": "Which of each class",
    "04_prompts_in_pixels": "Width or side",
    "08_depth_and_length": "Depth J",
}


@pytest.fixture
def lesson(tab, lab, request):
    """A copy of a lesson, all of it run."""
    name = f"{request.param}.ipynb"
    shutil.copy(NOTEBOOKS / name, lab.folder / name)
    yield Notebook(tab, lab, name).run()
    lab.end_kernels()


@pytest.mark.parametrize(("lesson", "slider"), SLIDERS.items(), indirect=["lesson"], ids=SLIDERS)
def test_a_lesson_runs_and_its_panel_answers(lesson, slider):
    expect(lesson.page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")).to_have_count(
        0
    )
    panel = lesson.panel()
    before = panel.source
    panel.drag(slider, 1.0)
    panel.changed(before)
    before = panel.source
    panel.slider(slider).press("Home")
    panel.changed(before)

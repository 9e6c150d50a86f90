"""The explorer of depth and length in JupyterLab: dragged, typed at, trained, stopped, run again, restarted."""

import re

import pytest
from hands import Notebook
from playwright.sync_api import expect

# A training that ends soon, and one that would take minutes.
SOON = 'explore(tasks=("plants",), seeds=(1,), shots=1, changes=(("epochs", {epochs}),))'
IMPORT = "from vlprompt.widgets import explore"
BROKEN = f"""{IMPORT}

def broken(point, **others):
    raise RuntimeError("no memory is left on <this> machine")

explore(tasks=("plants",), seeds=(1,), run=broken)"""


@pytest.fixture
def notebook(tab, lab, request):
    """A notebook of the cells that the test names, open and run."""
    name = lab.write(f"{request.node.name.partition('[')[0]}.ipynb", *request.param)
    yield Notebook(tab, lab, name).run()
    lab.end_kernels()


def cells(*sources: str):
    return pytest.mark.parametrize("notebook", [sources], indirect=True, ids=[""])


@cells(IMPORT, "explore()", "explore()")
def test_sliders_by_mouse_and_keyboard_and_two_panels_that_share_nothing(notebook):
    panel, other = notebook.panel(0), notebook.panel(1)
    before, untouched = panel.source, (other.source, other.words)
    panel.drag("Depth J", 1.0)
    panel.says("J = 12")
    panel.changed(before)
    panel.slider("Depth J").press("ArrowLeft")
    panel.says("J = 11")
    panel.slider("Depth J").press("Home")
    panel.says("J = 1,")
    panel.drag("Length M", 0.0)
    panel.says("J = 1, M = 1,")
    panel.slider("Length M").press("ArrowRight")
    panel.says("J = 1, M = 2,")
    expect(panel.where.get_by_role("row", name="learned in all")).to_contain_text("15,712")
    panel.where.get_by_label("Prompts in").select_option("text tower (language-only)")
    panel.says("text tower (language-only)")
    assert (other.source, other.words) == untouched
    other.slider("Depth J").press("End")
    other.says("J = 12")
    panel.says("J = 1, M = 2,")


@cells(IMPORT, "explore()")
def test_a_cell_that_is_run_again_gives_one_panel_that_works(notebook):
    notebook.panel().slider("Depth J").press("Home")
    notebook.panel().says("J = 1,")
    notebook.run_cell(1)
    expect(notebook.page.locator(".vlprompt-panel")).to_have_count(1)
    panel = notebook.panel()
    panel.says("J = 9,")
    panel.drag("Depth J", 0.0)
    panel.says("J = 1,")


@cells(IMPORT, "explore()")
def test_after_a_restart_of_the_kernel_the_cells_bring_it_back(notebook):
    notebook.restart()
    notebook.run()
    panel = notebook.panel()
    panel.slider("Depth J").press("End")
    panel.says("J = 12")


@cells(IMPORT, SOON.format(epochs=2))
def test_train_here_trains_and_drops_the_point_on_the_surface(notebook):
    panel = notebook.panel()
    panel.slider("Depth J").press("Home")
    panel.says(re.compile(r"J = 1, M = 2: no result yet"))
    before = panel.source
    panel.press("Train here")
    panel.says(re.compile(r"J = 1, M = 2, seed 1 alone, trained here: base \d+\.\d %, new \d+\.\d %"))
    panel.changed(before)
    expect(
        panel.where.get_by_role("img", name=re.compile(r"Loss of run 1: \d+\.\d\d at its first step"))
    ).to_be_visible()
    expect(panel.where.get_by_text("Done: 1 run")).to_be_visible()
    expect(panel.where.get_by_role("button", name="Stop")).to_be_disabled()
    notebook.run_cell(1)  # what was trained is kept, and a new panel knows it
    panel = notebook.panel()
    panel.slider("Depth J").press("Home")
    panel.says("trained here")


@cells(IMPORT, SOON.format(epochs=2000))
def test_stop_ends_a_training_and_the_last_wish_wins(notebook):
    panel = notebook.panel()
    stop, loss = panel.where.get_by_role("button", name="Stop"), panel.where.get_by_role("img", name="Loss of run 1")
    expect(stop).to_be_disabled()
    for _ in range(4):
        panel.press("Train here")
    expect(loss).to_be_visible()
    panel.slider("Depth J").press("Home")  # the page goes on while it trains
    panel.says("J = 1,")
    panel.press("Train here")
    expect(panel.where.get_by_text(re.compile(r"Run 1 of 1 \(plants, J=1, M=2, seed 1\): step \d+"))).to_be_visible()
    stop.click()
    expect(panel.where.get_by_text("Stopped after 0 of 1 run")).to_be_visible()
    expect(stop).to_be_disabled()
    panel.says("no result yet")


@cells(BROKEN)
def test_a_training_that_fails_says_so_in_the_panel(notebook):
    panel = notebook.panel()
    panel.press("Train here")
    alert = panel.where.get_by_role("alert")
    expect(alert).to_contain_text("The training failed")
    expect(alert).to_contain_text("RuntimeError: no memory is left on <this> machine")
    expect(panel.where.get_by_role("button", name="Stop")).to_be_disabled()
    panel.slider("Depth J").press("End")
    panel.says("J = 12")

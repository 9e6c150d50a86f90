"""The explorer of depth and length in JupyterLab: dragged, typed at, trained, stopped, run again, restarted."""

import re

import looks
import pytest
from hands import Notebook
from pages import watch
from playwright.sync_api import expect

SET_UP = """from vlprompt.widgets import explore


def broken(point, **others):
    raise RuntimeError("no memory is left on <this> machine")


def few(**changes):
    return explore(tasks=("plants",), seeds=(1,), shots=1, **changes)
"""
FIRST, SECOND, SOON, LONG, BROKEN = range(1, 6)  # the cells below it
CELLS = {
    FIRST: "explore()",
    SECOND: "explore()",
    SOON: 'few(changes=(("epochs", 2),))',  # a training that ends soon
    LONG: 'few(changes=(("epochs", 2000),))',  # one that would take minutes
    BROKEN: "few(run=broken)",
}


@pytest.fixture(scope="module")
def opened(chromium, lab):
    """One notebook for all tests, open and run: a kernel takes its time to come."""
    with watch(chromium) as watched:
        name = lab.write("explorers.ipynb", SET_UP, *CELLS.values())
        yield watched, Notebook(watched.page, lab, name).run()
    lab.end_kernels()


@pytest.fixture
def notebook(opened):
    """It; what its console says is looked at when a test is over."""
    watched, notebook = opened
    watched.troubles.clear()
    watched.page.set_viewport_size({"width": 1280, "height": 900})
    yield notebook
    assert watched.troubles == []


def test_sliders_by_mouse_and_keyboard_and_two_panels_that_share_nothing(notebook):
    panel, other = notebook.panel(FIRST), notebook.panel(SECOND)
    before, untouched = panel.source, (other.source, other.words)
    panel.drag("Depth J", 1.0)
    panel.says("J = 12")
    panel.changed(before)
    panel.slider("Depth J").press("ArrowLeft")
    panel.says("J = 11")
    panel.slider("Depth J").press("Home")
    panel.says("J = 1,")
    panel.drag("Length M", 0.0)
    panel.says("J = 1, M = 1")
    panel.slider("Length M").press("ArrowRight")
    panel.says("J = 1, M = 2")
    expect(panel.where.get_by_role("row", name="learned in all")).to_contain_text("15,712")
    panel.where.get_by_label("Prompts in").select_option("text tower (language-only)")
    panel.says("text tower (language-only)")
    assert (other.source, other.words) == untouched
    other.slider("Depth J").press("End")
    other.says("J = 12")
    panel.says("J = 1, M = 2")


def test_in_a_narrow_and_dark_lab_it_is_readable_and_all_of_it_has_names(notebook):
    panel, page = notebook.panel(FIRST), notebook.page
    notebook.begin("apputils:change-theme", theme="JupyterLab Dark")
    try:
        expect(page.locator("body[data-jp-theme-light=false]")).to_be_attached()
        for width in (1280, 800, 640):
            page.set_viewport_size({"width": width, "height": 900})
            assert looks.sticks_out(panel.where) == []
            assert looks.cut_off(panel.where) == []
        assert looks.faint(panel.where) == []
    finally:
        notebook.begin("apputils:change-theme", theme="JupyterLab Light")
        notebook.ended()
    found = looks.names(panel.where)
    assert {("slider", "Depth J"), ("slider", "Length M"), ("combobox", "Prompts in")} <= set(found)
    assert [role for role, called in found if not called.strip()] == []
    assert looks.reached_by_tab(panel.where) >= len(found) - 1  # Stop is off
    panel.slider("Length M").press("End")
    expect(panel.slider("Length M")).to_have_attribute("aria-valuetext", "16")
    expect(panel.where.get_by_role("status").last).to_contain_text("M = 16")  # what a screen reader says


def test_a_cell_that_is_run_again_gives_one_panel_that_works(notebook):
    notebook.panel(FIRST).slider("Depth J").press("Home")
    notebook.panel(FIRST).says("J = 1,")
    notebook.run_cell(FIRST)
    expect(notebook.page.locator(".vlprompt-panel")).to_have_count(len(CELLS))
    panel = notebook.panel(FIRST)
    panel.says("J = 9,")
    panel.drag("Depth J", 0.0)
    panel.says("J = 1,")


def test_train_here_trains_and_drops_the_point_on_the_surface(notebook):
    panel = notebook.panel(SOON)
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
    notebook.run_cell(SOON)  # what was trained is kept, and a new panel knows it
    panel = notebook.panel(SOON)
    panel.slider("Depth J").press("Home")
    panel.says("trained here")


def test_stop_ends_a_training_and_the_last_wish_wins(notebook):
    panel = notebook.panel(LONG)
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


def test_a_training_that_fails_says_so_in_the_panel(notebook):
    panel = notebook.panel(BROKEN)
    panel.press("Train here")
    alert = panel.where.get_by_role("alert")
    expect(alert).to_contain_text("The training failed")
    expect(alert).to_contain_text("RuntimeError: no memory is left on <this> machine")
    expect(panel.where.get_by_role("button", name="Stop")).to_be_disabled()
    panel.slider("Depth J").press("End")
    panel.says("J = 12")


def test_after_a_restart_of_the_kernel_the_cells_bring_it_back(notebook):
    notebook.restart()
    notebook.run()
    panel = notebook.panel(SECOND)
    panel.says("J = 9,")
    panel.slider("Depth J").press("End")
    panel.says("J = 12")

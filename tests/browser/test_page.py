"""The page of `vlprompt explore`: every panel used, at several widths, in both themes, and for a screen reader.

`VLPROMPT_PICTURES=docs/panels python -m pytest -m slow tests/browser/test_page.py` keeps two pictures of each panel.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import looks
import pytest
from hands import OnPage
from labs import environment
from pages import watch
from PIL import Image
from playwright.sync_api import expect

WIDTHS = {"wide": 1280, "narrow": 800, "zoomed": 640}  # 1280 at 200 % leave 640
THEMES = "light", "dark"
PANELS = {  # the button, the panel's title, and the name of its pictures
    "Depth and length": ("Depth and length of prompts", "depth-and-length"),
    "Where the prompts go": ("Where the prompts go", "where-prompts-go"),
    "Templates": ("Prompt workbench", "templates"),
    "Prompts in pixels": ("Prompts in pixels", "pixels"),
    "Methods": ("Comparison of methods", "methods"),
}
HIGH = 1400  # of the page, so that a whole panel is seen


@pytest.fixture(scope="module")
def explore(jupyter_home):
    """`vlprompt explore` as somebody would call it: its process and its address."""
    command = [sys.executable, "-m", "vlprompt", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(jupyter_home))
    yield process, re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())[0]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "ended\n")


@pytest.fixture(scope="module", params=THEMES)
def shown(chromium, explore, request):
    """The page in a theme, one for all tests of it."""
    with watch(chromium, HIGH) as watched:
        watched.page.goto(f"{explore[1]}?theme={request.param}")
        expect(watched.page.locator(".vlprompt-panel")).to_be_visible()
        yield watched, request.param


@pytest.fixture
def page(shown):
    """The page, wide again; what its console says is looked at when the test is over."""
    page = shown[0].page
    shown[0].troubles.clear()
    page.set_viewport_size({"width": 1280, "height": HIGH})
    yield page
    assert shown[0].troubles == []


def choose(page, name: str) -> OnPage:
    """Press a panel's button, and wait until it is there; some are made now."""
    page.get_by_role("button", name=name, exact=True).click()
    title = page.get_by_role("heading", name=PANELS[name][0], exact=True)
    return OnPage(page.locator(".vlprompt-panel", has=title))


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_is_readable_at_every_width_and_its_controls_have_names(page, shown, name, tmp_path):
    panel = choose(page, name)
    for width, pixels in WIDTHS.items():
        page.set_viewport_size({"width": pixels, "height": HIGH})
        assert looks.sticks_out(panel.where) == []
        assert looks.cut_off(panel.where) == []
        keep(panel, tmp_path, f"{PANELS[name][1]}-{width}-{shown[1]}.png", pixels)
    assert looks.faint(panel.where) == []
    found = looks.names(panel.where)
    assert len(found) >= 3
    assert [role for role, called in found if not called.strip()] == []
    assert len(set(found)) == len(found)  # no two controls of a panel are called the same
    off = panel.where.locator(":is(button, input, select):disabled").count()
    assert looks.reached_by_tab(panel.where) >= len(found) - off


def keep(panel: OnPage, folder: Path, name: str, width: int) -> None:
    """A picture of the panel, small; where it is asked for, two of each panel also among those of the README."""
    picture = Image.open(io.BytesIO(panel.where.screenshot())).convert("RGB")
    file = folder / name
    picture.quantize(200, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size < 150_000
    assert picture.width <= width
    assert len(picture.getcolors(1 << 24)) > 20  # something is drawn
    if "VLPROMPT_PICTURES" in os.environ and name.endswith(("wide-light.png", "narrow-dark.png")):
        shutil.copy(file, Path(os.environ["VLPROMPT_PICTURES"], name.replace("-wide-light", "")))


def test_the_towers_follow_the_explorers_controls(page):
    explorer = choose(page, "Depth and length")
    explorer.slider("Depth J").press("Home")
    explorer.says("J = 1,")
    towers = choose(page, "Where the prompts go")
    towers.says("in layer 1, at the front of every sentence")
    before = towers.source
    towers.slider("Depth J").press("End")
    towers.says("in each of layers 1 to 12")
    towers.changed(before)
    towers.where.get_by_label("Prompts in").select_option("image tower (vision-only)")
    towers.says(re.compile(r"^Image tower: \d+ tokens? in each of layers 1 to 12"))
    expect(towers.where.get_by_role("row", name="learned in all")).to_be_visible()
    towers.where.get_by_label("Prompts in").select_option("both towers, coupled (MaPLe)")
    towers.says("by a linear map")


def test_a_typed_template_changes_the_answers_and_a_bad_one_is_said(page):
    panel = choose(page, "Templates")
    field, before = panel.where.get_by_role("textbox", name="Template"), panel.source
    field.fill("a blurry sketch of {}")
    field.press("Enter")
    panel.says(re.compile("With “a blurry sketch of {}”, .* test pictures are named right"))
    panel.changed(before)
    field.fill("no place for a name")
    field.press("Enter")
    expect(panel.where.get_by_role("alert")).to_contain_text("The picture still shows “a blurry sketch of {}”")


def test_the_frames_width_changes_the_picture(page):
    panel = choose(page, "Prompts in pixels")
    panel.slider("Width or side").press("Home")
    panel.says("Padding, 1 pixels,")
    before = panel.source
    panel.drag("Width or side", 0.5)
    panel.changed(before)
    panel.where.get_by_label("Prompt", exact=True).select_option("a fixed patch")
    panel.says("Fixed patch,")


def test_the_next_picture_on_which_methods_disagree(page):
    panel = choose(page, "Methods")
    before = panel.source
    panel.press("Next picture that they disagree on")
    panel.changed(before)
    panel.says(re.compile(r"Right: .+\. Wrong: .+\. In layer 12"))
    panel.slider("Attention in layer").press("Home")
    panel.says("In layer 1 the class token gives")


@pytest.mark.skipif(sys.platform != "linux", reason="how processes are listed is known for Linux only")
def test_a_page_that_is_left_takes_its_kernel_along(chromium, explore):
    process, address = explore
    before = kernels(process)
    with watch(chromium) as watched:
        watched.page.goto(address)
        expect(watched.page.locator(".vlprompt-panel")).to_be_visible()
        assert len(kernels(process) - before) == 1
        watched.page.goto("about:blank")
        end = time.monotonic() + 60
        while kernels(process) - before and time.monotonic() < end:
            watched.page.wait_for_timeout(100)  # between two looks at the list of processes
    assert kernels(process) - before == set()
    assert watched.troubles == []


def kernels(process: subprocess.Popen) -> set[str]:
    return set(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())

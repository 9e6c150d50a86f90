"""A browser, a JupyterLab on loopback with a folder of its own, and pages that note what goes wrong on them."""

import os
import shutil
import tempfile
from pathlib import Path

import labs
import pytest
from hands import PATIENCE
from pages import Watched

NAMES = ("chromium", "chromium-browser", "google-chrome")
# The browser must not speak to its makers, and here there is no screen.
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update")


def pytest_collection_modifyitems(items) -> None:
    """All of it is slow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium():
    """The browser of the machine, without a window."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium (as root), or your system's own package of it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = [*FLAGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]  # root has no sandbox to give
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter_home():
    """A folder for all that Jupyter writes, so that the home of whoever runs the tests is left alone."""
    folder = Path(tempfile.mkdtemp(prefix="vlprompt-browser-"))  # short: paths of sockets have a limit
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def lab(jupyter_home):
    """A running JupyterLab."""
    with labs.serve(jupyter_home) as server:
        yield server


@pytest.fixture
def tab(chromium, request):
    """A fresh tab of 1280 x 900 pixels; what its console says is looked at when the test is over."""
    size = getattr(request, "param", {"width": 1280, "height": 900})
    context = chromium.new_context(viewport=size, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    watched = Watched(context.new_page())
    yield watched.page
    context.close()
    assert watched.troubles == []

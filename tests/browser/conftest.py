"""A browser, a JupyterLab on loopback with a folder of its own, of the tests."""

import os
import shutil
import tempfile
from pathlib import Path

import labs
import pytest

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

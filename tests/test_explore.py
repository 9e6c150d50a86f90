"""`vlprompt explore`: one page on loopback, slips in one line, and nothing left when it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import ipywidgets as widgets
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from vlprompt.cli import app
from vlprompt.widgets import page, serve
from vlprompt.widgets.common import Panel, View


def vlprompt(*words):
    return CliRunner().invoke(app, ["explore", "--no-browser", *(str(word) for word in words)])


@pytest.fixture
def taken():
    """A port of loopback at which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


# ---- slips ----------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_sentence(taken):
    done = vlprompt("--port", taken)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(rf"vlprompt: port {taken} cannot be had \(.+\): give another with --port, .+\n", done.stderr)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_one_sentence(port):
    done = vlprompt("--port", port)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"vlprompt: port must be a whole number from 0 to 65535, not {port}\n"


@pytest.mark.parametrize("missing", ["voila", "ipywidgets", "anywidget"])
def test_what_is_not_installed_is_named_with_its_extra(missing, monkeypatch):
    monkeypatch.setattr("vlprompt.cli.explore.find_spec", lambda name: name != missing)
    done = vlprompt("--port", 0)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"vlprompt: {missing} is not installed: pip install -e '.[course]'\n"


def test_a_free_port_is_found_and_a_given_one_is_kept(taken):
    found = serve.usable(0)
    assert 1024 <= found <= 65_535
    assert serve.usable(found) == found
    with pytest.raises(ValueError, match="--port 0"):
        serve.usable(taken)


def test_the_browser_is_opened_only_when_it_is_wanted(monkeypatch):
    opened, said = [], []
    monkeypatch.setattr("webbrowser.open", opened.append)
    serve.announce("http://127.0.0.1:1/", said.append, browser=False)
    assert (len(said), opened) == (1, [])
    serve.announce("http://127.0.0.1:1/", said.append, browser=True)
    while not opened:  # it is opened by a thread
        time.sleep(0.01)
    assert opened == ["http://127.0.0.1:1/"]


# ---- the row of buttons ---------------------------------------------------------------------------


def panel(title: str) -> Panel:
    number = widgets.IntSlider(1, 1, 3, description="Number")
    return Panel(title, {"number": number}, lambda number: View(Figure(figsize=(1, 1)), f"{title} {number}"))


def test_a_panel_is_made_when_it_is_first_asked_for_and_only_once():
    made = []

    def make(title):
        made.append(title)
        return panel(title)

    box = page.choose({"one": lambda: make("one"), "two": lambda: make("two")})
    buttons, place = box.children
    assert made == ["one"]
    one = place.children
    buttons.value = "two"
    assert made == ["one", "two"]
    assert place.children != one
    buttons.value = "one"
    assert made == ["one", "two"]
    assert place.children == one


def test_a_panel_that_cannot_be_made_is_said_and_tried_again():
    tries = []

    def broken():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no <drawings>")
        return panel("mended")

    box = page.choose({"good": lambda: panel("good"), "broken": broken})
    buttons, place = box.children
    buttons.value = "broken"
    assert "role='alert'" in place.children[0].value
    assert "ValueError: no &lt;drawings&gt;" in place.children[0].value
    buttons.value = "good"
    buttons.value = "broken"
    assert "vlprompt-panel" in place.children[0]._dom_classes


# ---- the server -----------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """The command as a process, its address, and the folder for temporary files that it was given."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "vlprompt", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    line = process.stderr.readline()
    yield process, re.search(r"http://127\.0\.0\.1:\d+/", line)[0], tmp_path
    process.kill()
    process.communicate()


def descendants(process: int) -> list[int]:
    """The processes below one, as Linux lists them."""
    own = [int(p) for task in Path(f"/proc/{process}/task").iterdir() for p in (task / "children").read_text().split()]
    return [*own, *(below for each in own for below in descendants(each))]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="how processes are listed is known for Linux only")
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda way: way.name)
def test_the_page_comes_without_a_network_and_the_end_leaves_nothing(served, way):
    process, address, folder = served
    if way is signal.SIGINT:
        text = urlopen(address, timeout=120).read().decode()
        assert "<title>Prompt learning: the panels</title>" in text
        assert "application/vnd.jupyter.widget-view+json" in text
        assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+|import\s+.*https?://""", text) == []
        assert len(descendants(process.pid)) == 1  # the kernel of the page
    kernels = descendants(process.pid)
    process.send_signal(way)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said == "ended\n"
    assert [kernel for kernel in kernels if Path(f"/proc/{kernel}").exists()] == []
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_page_of_elsewhere_cannot_reach_it_under_a_name_of_its_own(served):
    _, address, _ = served
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(address, headers={"Host": "elsewhere.example"}), timeout=60)

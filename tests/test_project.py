"""What the project says of itself is true: one list of dependencies, commands that exist, licences, sizes."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from vlprompt.tasks.things import STYLES

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()


def test_environment_yml_lists_nothing_twice():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    (from_pip,) = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert [re.split(r"[ =<>]", d)[0] for d in plain] == ["python", "pip"]
    assert plain[0].removeprefix("python").strip() == PROJECT["requires-python"]
    (install,) = from_pip
    path, extras = re.fullmatch(r"-e (\.)\[(.*)\]", install).groups()
    assert path == "."
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_torch_and_torchvision_come_together_and_are_new_enough():
    names = {re.split(r"[ =<>\[]", d)[0]: d for d in PROJECT["dependencies"]}
    assert names["torch"] == "torch>=2.14"
    assert names["torchvision"] == "torchvision"


def test_the_lock_pins_hashes_and_records_no_addresses():
    text = (ROOT / "data/package-lock.json").read_text()
    assert "resolved" not in text
    assert "http" not in re.sub(r'"funding": \{[^}]*\}', "", text)
    packages = json.loads(text)["packages"]
    wanted = json.loads((ROOT / "data/package.json").read_text())["dependencies"]
    assert set(wanted) == {f"@iconify-json/{style}" for style in STYLES} | {"emojibase-data"}
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert packages[f"node_modules/{name}"]["integrity"].startswith("sha512-")


def test_the_readme_has_the_command_that_ci_runs():
    block = README.split("<!-- the test command -->")[1].split("```")[1]
    assert "pytest" in block
    assert "-m venv .venv" in block
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_every_command_in_the_readme_exists():
    from vlprompt.cli import app

    known = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
    assert set(re.findall(r"vlprompt ([a-z]+)\b", " ".join(re.findall(r"`[^`]+`|```.*?```", README, re.S)))) <= known


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_in_the_readme_leads_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_the_card_states_licence_and_author_of_every_set():
    card = (ROOT / "data/tiny-clip/README.md").read_text()
    for style in STYLES:
        assert f"`{style}`" in card


def test_the_weights_are_small_enough():
    assert (ROOT / "data/tiny-clip/weights.safetensors").stat().st_size <= 16e6


def test_no_file_of_the_package_is_long():
    for path in (ROOT / "vlprompt").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path


def test_imports_go_down_only():
    """The layers of the package, from the ground up; a module imports from its own layer or below."""
    layers = [
        "paths", "tasks", "backbone", "blocks", "engine", "methods", "train", "protocols",
        "points", "store", "sweep", "experiments", "bench", "cli",
    ]  # fmt: skip
    for name in (
        "tasks",
        "backbone",
        "engine",
        "methods",
        "train",
        "evaluate",
        "pretrain",
        "protocols",
        "points",
        "sweep",
    ):
        files = [ROOT / f"vlprompt/{name}.py", *(ROOT / f"vlprompt/{name}").glob("*.py")]
        above = layers[layers.index(name) + 1 :] if name in layers else ["protocols", "bench", "cli"]
        for path in filter(Path.is_file, files):
            imported = re.findall(r"^from vlprompt\.(\w+)", path.read_text(), re.M)
            assert not set(imported) & set(above), path

"""The folder in which hand-ins are graded: a course in nbgrader's form, so that its own tools can go on there."""

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from vlprompt import __version__
from vlprompt.classroom import build
from vlprompt.classroom.lessons import Exercise, exercises, info, read
from vlprompt.paths import PACKAGE, cache_folder, replace_whole

# What of a home folder is not a submitted code's business, nor of a checkout: solutions, tests and their history.
OF_HOME = (".ssh", ".aws", ".gnupg", ".config", ".kube", ".jupyter")
OF_CHECKOUT = ("notebooks", "tests", "docs", ".git")


@dataclass(frozen=True)
class Limits:
    """What a hand-in may use: seconds in all, seconds a cell, and bytes of memory."""

    seconds: float = 600
    cell_seconds: int = 120
    memory: int = 4 * 2**30


@dataclass(frozen=True)
class Course:
    """Where hand-ins are graded (`folder`), against which notebooks, with which limits, hiding what, and how."""

    folder: Path
    notebooks: Path
    limits: Limits
    hidden: tuple[str, ...]
    namespaces: bool

    def teacher(self, lesson: str) -> Path:
        return self.notebooks / f"{lesson}.ipynb"

    def copy(self, lesson: str) -> dict:
        """The students' copy of a lesson, as it was handed out."""
        return read(build.released(self.folder, lesson))

    def exercises(self, lesson: str | None) -> list[Exercise]:
        return exercises(read(self.teacher(lesson))) if lesson else []

    def digest(self, lesson: str, handed_in: bytes) -> str:
        """Changes when the hand-in, the lesson, a check, a limit or a version does."""
        parts = [
            handed_in,
            self.teacher(lesson).read_bytes(),
            json.dumps([asdict(self.limits), self.namespaces, __version__, version("nbgrader")]).encode(),
            *(path.read_bytes() for path in checks_files()),
        ]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def checks_files() -> list[Path]:
    return sorted([*PACKAGE.glob("checks*.py"), *PACKAGE.glob("checks/**/*.py")])


def open_course(folder: Path, notebooks: Path, handed_in: Path, limits: Limits, namespaces: bool) -> Course:
    """Make the course, or go on with one that is there. Raises ValueError where its exercises are others now."""
    files = build.check(notebooks)
    mark = folder / "lessons.json"
    digests = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    known = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
    changed = [file for file in files if known.get(file.stem) != digests[file.stem]]
    for file in changed:
        before = build.released(folder, file.stem)
        if before.is_file() and grade_ids(before) != grade_ids(file):
            raise ValueError(
                f"hand-ins of {file.stem} were graded in {folder} when it had other exercises: name a new folder"
            )
    build.release(changed, folder)
    with replace_whole(mark) as temporary:
        temporary.write_text(json.dumps(known | digests, indent=1), encoding="utf-8")
    return Course(folder, Path(notebooks), limits, hidden_folders(folder, notebooks, handed_in), namespaces)


def grade_ids(path: Path) -> list[str]:
    """The names that nbgrader knows a notebook's cells by."""
    return [info(cell)["grade_id"] for cell in read(path)["cells"] if info(cell)]


def hidden_folders(*folders: Path) -> tuple[str, ...]:
    """What a box hides: these folders, and what of the home and the checkout no hand-in needs to see.

    A folder that holds what the box needs itself (Python, the package, the images) is left to be seen.
    """
    wanted = [*folders, *(Path.home() / name for name in OF_HOME), *(PACKAGE.parent / name for name in OF_CHECKOUT)]
    needed = [
        Path(p).resolve() for p in (sys.prefix, sys.base_prefix, PACKAGE, PACKAGE.parent / "data", cache_folder())
    ]
    found = {Path(path).resolve() for path in wanted if Path(path).is_dir()}
    return tuple(str(path) for path in sorted(found) if not any(n.is_relative_to(path) for n in needed))


def environment(home: Path) -> dict[str, str]:
    """The environment of a hand-in: nothing of the teacher's but where programs lie."""
    kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")
    own = {name: str(home) for name in ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_RUNTIME_DIR")}
    fixed = {
        "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0", "TQDM_DISABLE": "1",
        "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
        "VLPROMPT_CACHE": str(cache_folder().resolve()), "VLPROMPT_WORKSPACE": "",
    }  # fmt: skip
    return {name: os.environ[name] for name in kept if name in os.environ} | own | fixed


def safe_name(student: str) -> str:
    """A student's name as part of a path; names that differ stay different."""
    plain = re.sub(r"[^A-Za-z0-9-]", "_", student)
    return plain if plain == student else f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"

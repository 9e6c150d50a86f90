"""Grade a folder of hand-ins: each in a process of its own, each result kept, so that a second run goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from vlprompt.classroom import handins, marks
from vlprompt.classroom.box import Box, namespaces_work
from vlprompt.classroom.course import Course, Limits, environment, open_course, safe_name
from vlprompt.classroom.handins import HandIn, NotANotebookError
from vlprompt.classroom.lessons import lesson_files
from vlprompt.classroom.marks import Row
from vlprompt.classroom.restore import restore
from vlprompt.paths import replace_whole

Say = Callable[[str], None]
LEAVE = 120  # seconds for nbgrader itself, on top of the hand-in's


def grade(
    folder: Path,
    out: Path,
    notebooks: Path,
    limits: Limits | None = None,
    lessons: list[str] | None = None,
    jobs: int = 1,
    again: bool = False,
    namespaces: bool | None = None,
    say: Say = lambda line: None,
) -> list[Row]:
    """Grade all hand-ins of `folder` against the lessons in `notebooks`, and write `grades.csv` into `out`.

    lessons: only these, and then a student without one of them gets a row too; by default all that were handed in.
    jobs: how many hand-ins at once. again: also those whose result is kept. namespaces: whether boxes are made of them;
    by default where the system grants them. Returns the rows. Raises ValueError before any hand-in is run where the
    folders or lessons do not fit; whatever a hand-in does is a row, never an error.
    """
    if sys.platform == "win32":
        raise ValueError("hand-ins are graded on Linux or macOS, where a process can be limited; on Windows use WSL")
    folder, out = Path(folder).resolve(), Path(out).resolve()
    if out == folder or out.is_relative_to(folder):
        raise ValueError(f"the results cannot lie in {folder}, among the hand-ins: name another folder")
    found = wanted(folder, [path.stem for path in lesson_files(notebooks)], lessons)
    if namespaces is None:
        with tempfile.TemporaryDirectory(prefix="vlp-") as scratch:
            namespaces = namespaces_work(Path(scratch))
    say(PROTECTION[namespaces])
    course = open_course(out, Path(notebooks).resolve(), folder, limits or Limits(), namespaces)
    rows = run_all(course, found, jobs, again, say)
    marks.write(rows, out / "grades.csv")
    return rows


PROTECTION = {
    True: "each hand-in runs in a box: no network, no other process, nothing to write to but a folder of its own",
    False: "this system grants no namespaces: only Python's own sockets and new processes are refused, and a hand-in "
    "could read and write your files; grade those you do not trust on Linux, as a user of its own",
}


def wanted(folder: Path, known: list[str], lessons: list[str] | None) -> list[HandIn]:
    """The hand-ins to grade; with `lessons` named, one for each student and lesson, missing ones too."""
    for lesson in lessons or []:
        if lesson not in known:
            raise ValueError(f"no lesson is named {lesson!r}; there are {', '.join(known)}")
    found = handins.find(folder, known)
    if not lessons:
        return found
    have = {(each.student, each.lesson): each for each in found}
    students = sorted({each.student for each in found})
    problem = "nothing was handed in for this lesson"
    return [
        have.get((student, lesson), HandIn(student, lesson, folder, problem, marks.MISSING))
        for student in students
        for lesson in lessons
    ]


def run_all(course: Course, found: list[HandIn], jobs: int, again: bool, say: Say) -> list[Row]:
    """All rows, in the order of the hand-ins. An interruption ends what runs; results that are there stay."""
    running = Running()
    rows: list[Row] = []
    pool = ThreadPoolExecutor(jobs)
    try:
        for number, mine in enumerate(pool.map(lambda one: grade_one(course, one, again, running), found), start=1):
            rows += mine
            total, best = sum(row.points for row in mine), sum(row.max for row in mine)
            words = ", ".join(dict.fromkeys(row.mark for row in mine))
            say(f"[{number}/{len(found)}] {mine[0].student} {mine[0].lesson}: {total:g} of {best:g} points ({words})")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        running.end_all()
    return rows


def grade_one(course: Course, handin: HandIn, again: bool, running: "Running") -> list[Row]:
    """The rows of one hand-in: kept from before, refused, or new."""
    name, found = handin.lesson or "", course.exercises(handin.lesson)
    if handin.problem:
        return marks.refused(handin.student, name, found, handin.mark, handin.problem)
    try:
        cells = handins.read(handin.path)
        digest = course.digest(name, handin.path.read_bytes())
    except (NotANotebookError, OSError) as error:
        return marks.refused(handin.student, name, found, marks.UNREADABLE, str(error))
    kept = course.folder / "results" / f"{safe_name(handin.student)}-{name}.json"
    if not again and (rows := kept_rows(kept, digest)):
        return rows
    restored = restore(cells, course.copy(name))
    result = run(course, handin, restored.notebook, running)
    if "failed" in result:
        mark = marks.SLOW if result.get("stopped") else marks.UNGRADED
        return marks.refused(handin.student, name, found, mark, result["failed"])
    rows = marks.judge(handin.student, name, found, result, restored.notes)
    with replace_whole(kept) as temporary:
        temporary.write_text(json.dumps({"digest": digest, "rows": [asdict(row) for row in rows]}, indent=1), "utf-8")
    return rows


def kept_rows(path: Path, digest: str) -> list[Row] | None:
    """The rows of a hand-in that was graded before and has not changed since."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return [Row(**row) for row in kept["rows"]] if kept["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def run(course: Course, handin: HandIn, notebook: dict, running: "Running") -> dict:
    """What `autograde` finds in a hand-in, or why it found nothing (`failed`), and what the box says of the run."""
    student = safe_name(handin.student)
    submitted = course.folder / "submitted" / student / handin.lesson / f"{handin.lesson}.ipynb"
    submitted.parent.mkdir(parents=True, exist_ok=True)
    submitted.write_text(json.dumps(notebook), encoding="utf-8")
    scratch = Path(tempfile.mkdtemp(prefix="vlp-"))  # short, since the addresses of sockets are
    desk = scratch / "desk"
    desk.mkdir()
    limits = course.limits
    box = Box(str(scratch / "box"), str(desk), course.hidden, limits.seconds, limits.memory, course.namespaces)
    box.home.mkdir(parents=True)
    job = {
        "box": asdict(box), "course": str(course.folder), "student": student, "lesson": handin.lesson,
        "cell_seconds": limits.cell_seconds,
        "expected": {p.grade_id: list(p.expected) for e in course.exercises(handin.lesson) for p in e.parts},
    }  # fmt: skip
    (desk / "job.json").write_text(json.dumps(job), encoding="utf-8")
    try:
        said = nbgrader(desk, environment(box.home), limits.seconds + LEAVE, running)
        found = desk / "found.json"
        result = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {"failed": said}
        return result | {"stopped": box.stopped.exists(), "network": first_line(box.network)}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def nbgrader(desk: Path, env: dict[str, str], seconds: float, running: "Running") -> str:
    """Run `autograde` on the job in `desk`; the last thing that it said. It is ended when its time is up."""
    command = [sys.executable, "-P", "-m", "vlprompt.classroom.autograde", str(desk / "job.json")]
    log = desk / "log"
    with log.open("wb") as file:
        process = running.start(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env, cwd=desk)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return "grading did not end in time"
        finally:
            running.end(process)
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"grading stopped: {lines[-1] if lines else f'status {process.returncode}'}"


class Running:
    """The processes that grade now; after `end_all` no other can start."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.processes: set[subprocess.Popen] | None = set()

    def start(self, command: list[str], **options) -> subprocess.Popen:
        with self.lock:
            if self.processes is None:
                raise InterruptedError("grading was stopped")
            process = subprocess.Popen(command, start_new_session=True, **options)
            self.processes.add(process)
            return process

    def end(self, process: subprocess.Popen) -> None:
        """End a process and its group, if they have not ended."""
        with self.lock:
            (self.processes or set()).discard(process)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def end_all(self) -> None:
        with self.lock:
            left, self.processes = self.processes or set(), None
        for process in left:
            self.end(process)


def first_line(path: Path) -> str:
    """The first line that was noted in a box, or nothing; never of a file elsewhere."""
    try:
        return "" if path.is_symlink() else path.read_text(encoding="utf-8", errors="replace")[:200].partition("\n")[0]
    except OSError:
        return ""

"""One hand-in, graded by nbgrader's Autograde with its kernel in a box: `python -m vlprompt.classroom.autograde JOB`.

It runs in a process of its own, so that whatever becomes of it, the next hand-in is graded. JOB is a file of JSON; what
was found is written beside it, and judged in `marks`.
"""

import json
import sys
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.preprocessors import CheckCellMetadata, Execute, LimitOutput, SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from traitlets import Dict, Instance, Unicode
from traitlets.config import Config

from vlprompt.classroom.box import Box
from vlprompt.classroom.build import directory

OUTPUT_BYTES = 20 * 2**20  # what one hand-in may print; the rest is dropped
OWN_MEMORY = 2 * 2**30  # of this process, bytes

# Before each check: what the student's cells made of the checks is forgotten.
FRESH_CHECKS = """
import importlib as _importlib, sys as _sys
for _name in [name for name in _sys.modules if name.split(".")[:2] == ["vlprompt", "checks"]]:
    del _sys.modules[_name]
checks = _importlib.import_module("vlprompt.checks")
"""


class BoxedKernelManager(AsyncKernelManager):
    """Starts the kernel in a box, and talks with it by sockets in the box's folder, since it has no network."""

    box = Instance(Box).tag(config=True)
    transport = Unicode("ipc")

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        return self.box.command("-f", self.connection_file, *(extra_arguments or []))


class BoxedExecute(Execute):
    """nbgrader's Execute that goes on where a kernel dies, gives each check the teacher's checks, and drops floods."""

    expected = Dict(help="By grade id: the lines that a check prints when it has passed.").tag(config=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, kernel_manager_class=BoxedKernelManager, shutdown_kernel="immediate", **kwargs)
        slow = f"still running after {self.timeout} seconds"
        self.error_on_timeout = {"ename": "CellTimeoutError", "evalue": slow, "traceback": [slow]}
        self.ended: str | None = None  # why nothing more is run
        self.printed = 0

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code":
            return cell, resources
        if self.ended:
            cell.outputs = [error("NotRun", self.ended)]
            return cell, resources
        check = is_grade(cell) and not is_solution(cell)
        try:
            if check and "checks." in cell.source:
                self.execute_cell(nbformat.v4.new_code_cell(FRESH_CHECKS), index, store_history=False)
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            cell.outputs.append(error("DeadKernelError", "the kernel died in this cell"))
            self.ended = "not run, since the kernel died in an earlier cell"
        except CellTimeoutError:
            cell.outputs.append(error("CellTimeoutError", "the cell did not end and could not be interrupted"))
            self.ended = "not run, since an earlier cell did not end and could not be interrupted"
        if check:
            self.demand(cell)
        return cell, resources

    def demand(self, cell) -> None:
        """A check that raises nothing and yet has not said that it passed did not run; warnings cost nothing."""
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        lines = "".join(o.text for o in cell.outputs if o.output_type == "stream").splitlines()
        wanted = self.expected.get(cell.metadata.nbgrader.grade_id, [])
        failed = any(output.output_type == "error" for output in cell.outputs)
        if not failed and not set(wanted) <= set(lines):
            cell.outputs.append(error("CheckNotRun", "the check ended without its line `passed: …`"))

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data"):
            self.printed += len(str(msg["content"]))
            if self.printed > OUTPUT_BYTES:
                return None
        return super().process_message(msg, cell, cell_index)


def error(name: str, value: str):
    """An output that says that a cell failed."""
    return nbformat.v4.new_output("error", ename=name, evalue=value, traceback=[f"{name}: {value}"])


def grade(job: dict) -> dict:
    """Let nbgrader grade a hand-in that lies in the course's folder `submitted`; what became of each graded cell."""
    box, course = Box(**job["box"]), Path(job["course"])
    config = Config()
    config.BoxedExecute.timeout = job["cell_seconds"]
    config.BoxedExecute.startup_timeout = 120
    config.BoxedExecute.expected = job["expected"]
    config.BoxedKernelManager.box = box
    config.BoxedKernelManager.connection_file = str(Path(box.folder, "kernel.json"))
    config.Autograde.autograde_preprocessors = [BoxedExecute, LimitOutput, SaveAutoGrades, CheckCellMetadata]
    coursedir = directory(course, job["lesson"], job["student"])
    converter = Autograde(coursedir=coursedir, config=config)
    converter.force = True
    converter.start()
    path = course / "autograded" / job["student"] / job["lesson"] / f"{job['lesson']}.ipynb"
    return {"scores": scores(coursedir.db_url, job), "errors": errors(nbformat.read(path, as_version=4))}


def scores(database: str, job: dict) -> dict[str, dict]:
    """nbgrader's scores, by grade id."""
    with Gradebook(database) as gradebook:
        submission = gradebook.find_submission_notebook(job["lesson"], job["lesson"], job["student"])
        return {g.name: {"points": g.auto_score, "by_hand": bool(g.needs_manual_grade)} for g in submission.grades}


def errors(notebook) -> list[dict]:
    """The cells that stopped with an error, in their order, each with the error's last words."""
    found = []
    for cell in notebook.cells:
        failed = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if failed:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            last = failed[-1]
            found.append({"grade_id": grade_id, "name": str(last.ename)[:100], "value": str(last.evalue)[:2000]})
    return found


def main() -> int:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = OWN_MEMORY if hard == resource.RLIM_INFINITY else min(OWN_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    path = Path(sys.argv[1])
    found = grade(json.loads(path.read_text(encoding="utf-8")))
    path.with_name("found.json").write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Execute notebooks and keep their outputs: `python notebooks/execute.py [NOTEBOOK ...]`, all of them by default.

The one way in which stored outputs are made: the environment is that of the tests, no widget state is saved, cells are
counted 1 to n, metadata are the same on every machine, and a file is written whole or not at all. A cell that fails
leaves its notebook as it was.
"""

import argparse
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# One thread and no waiting loops: two threads on a busy machine can be twenty times slower than one.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
    "VLPROMPT_WORKSPACE": "",  # nobody's progress
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "CUDA_VISIBLE_DEVICES": "",  # stored outputs are those of a CPU
}

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def warm_fonts() -> None:
    """Let matplotlib make its list of fonts now, so that no kernel says on standard error that it does."""
    from matplotlib import font_manager

    assert font_manager.fontManager.ttflist


def notebooks() -> list[Path]:
    """The course's notebooks, in their order."""
    return sorted(path for path in FOLDER.glob("*.ipynb") if not path.name.startswith("."))


def execute(path: Path, timeout: int = 120) -> float:
    """Execute one notebook in place, and return the seconds it took."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", store_widget_state=False, record_timing=False,
        coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}},
    ).execute()  # fmt: skip
    seconds = time.perf_counter() - started
    clean(notebook)
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        nbformat.write(notebook, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return seconds


def clean(notebook) -> None:
    """The same metadata everywhere, cells counted 1 to n, and nothing that only this run knew."""
    notebook.metadata = METADATA
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        cell.execution_count = number
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; all of them by default")
    os.environ.update(ENVIRONMENT)
    warm_fonts()
    from nbclient.exceptions import CellExecutionError

    failed = 0
    for path in parser.parse_args().paths or notebooks():
        try:
            print(f"{path.name}: {execute(path.resolve()):.0f} s", flush=True)
        except CellExecutionError as error:
            failed += 1
            print(f"{path.name}: not executed, left as it was\n{error}", file=sys.stderr)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())

"""What workers are given in tests: quick and ill-behaved functions of a number. Each notes in a folder what it ran."""

import os
import signal
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

NUMBERS = list(range(8))
SQUARES = {number: number**2 for number in NUMBERS}
BAD = 3


def square(folder: Path, number: int) -> int:
    note(folder, number)
    return number**2


def slow_square(folder: Path, number: int) -> int:
    note(folder, number)
    time.sleep(0.3)
    return number**2


def failing(folder: Path, number: int) -> int:
    """Fails at one number."""
    if number == BAD:
        raise ValueError("the learning rate is too hot")
    return square(folder, number)


def deadly(folder: Path, number: int) -> int:
    """Kills its worker at one number, each time."""
    note(folder, number)
    if number == BAD:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def deadly_once(folder: Path, number: int) -> int:
    """Kills its worker at one number, the first time."""
    return slow_square(folder, number) if runs(folder, BAD) else deadly(folder, number)


def note(folder: Path, number: int) -> None:
    """One more file for a run of a number, named after the process."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()


def runs(folder: Path, number: int) -> int:
    """How often a number was run."""
    return len(list(folder.glob(f"{number}-*")))


def processes(folder: Path) -> set[int]:
    """The processes that ran any."""
    return {int(path.name.split("-")[1]) for path in folder.glob("*-*-*")}


def main(folder: str, address: str = "") -> None:
    """For tests that stop a whole sweep: many slow numbers on two processes."""
    from vlprompt.workers import on_cluster, on_this_machine

    run, numbers = partial(slow_square, Path(folder)), range(200)
    outcomes = on_cluster(numbers, run, address, 2) if address else on_this_machine(numbers, run, 2)
    try:
        with closing(outcomes):
            for number, _ in outcomes:
                print(number, flush=True)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])

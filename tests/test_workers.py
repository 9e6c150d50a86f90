"""Processes and clusters that work off points, die, and are stopped."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import workmen
from joblib.externals.loky.process_executor import TerminatedWorkerError
from workmen import BAD, NUMBERS, SQUARES, processes, runs

from vlprompt import workers
from vlprompt.workers import DIED, Failure, attempt, in_this_process, on_cluster, on_this_machine

HERE = Path(__file__).parent
DASK = [sys.executable, "-m", "dask"]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}


def test_an_error_is_kept_with_its_place_in_the_code(tmp_path):
    failure = attempt(partial(workmen.failing, tmp_path), BAD)
    assert failure.error == "ValueError: the learning rate is too hot"
    assert "in failing" in failure.trace


def test_an_interruption_is_no_failure():
    def stop(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop, 1)


def test_in_this_process_an_error_stops_nothing(tmp_path):
    results = dict(in_this_process(NUMBERS, partial(workmen.failing, tmp_path)))
    assert isinstance(results.pop(BAD), Failure)
    assert results == {n: s for n, s in SQUARES.items() if n != BAD}


def simulated_pool(killers: set[int], log: list):
    """Stands in for `pool`: works in rounds of `jobs`, and dies of a round that has one of the killers."""

    def pool(points, run, jobs, begun):
        for start in range(0, len(points), jobs):
            in_work = points[start : start + jobs]
            begun.extend(in_work)
            log.append(in_work)
            if killers & set(in_work):
                raise TerminatedWorkerError
            yield from ((point, run(point)) for point in in_work)

    return pool


@pytest.mark.parametrize("killers", [{BAD}, {0, 1}, {7}, set(NUMBERS)])
@pytest.mark.parametrize("jobs", [2, 4, 16])
def test_only_the_points_that_kill_their_workers_fail(killers, jobs, monkeypatch):
    log = []
    monkeypatch.setattr(workers, "pool", simulated_pool(killers, log))
    results = list(on_this_machine(NUMBERS, lambda n: n**2, jobs))
    assert len(results) == len(NUMBERS)  # each once
    assert dict(results) == {n: Failure(DIED) if n in killers else n**2 for n in NUMBERS}
    for killer in killers:
        assert 2 <= sum(killer in round for round in log) <= 3
        assert log.count([killer]) >= 1  # with no other beside it at the last


@pytest.mark.slow
def test_points_on_processes_outlive_a_worker_that_is_killed(tmp_path):
    results = list(on_this_machine(NUMBERS, partial(workmen.deadly_once, tmp_path), 2))
    assert sorted(results) == sorted(SQUARES.items())
    # What was in work on the two is done again, and a result that was on its way when the pool broke.
    assert sum(runs(tmp_path, n) for n in NUMBERS) <= len(NUMBERS) + 3
    assert os.getpid() not in processes(tmp_path)
    assert len(processes(tmp_path)) >= 3


@pytest.mark.slow
def test_points_on_processes_outlive_a_point_that_kills_each_time(tmp_path):
    results = dict(on_this_machine(NUMBERS, partial(workmen.deadly, tmp_path), 2))
    assert results == SQUARES | {BAD: Failure(DIED)}
    assert runs(tmp_path, BAD) == 3


@contextmanager
def a_sweep(folder: Path, *words: str):
    """A process that works on many numbers, in a group of its own, after its first three results."""
    command = [sys.executable, "-W", "error", workmen.__file__, str(folder), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, env=ENVIRONMENT, **pipes) as sweep:
        try:
            for _ in range(3):
                assert sweep.stdout.readline()
            yield sweep
        finally:
            kill_group(sweep)


def kill_group(process: subprocess.Popen) -> None:
    """Leave nothing behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that run; one that has ended and waits for its parent does not."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return {
        pid for pid, stat in stats.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    }


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc what runs")


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("words", [(), ("local",)], ids=["joblib", "dask"])
def test_ctrl_c_ends_the_workers_without_a_word(words, tmp_path):
    with a_sweep(tmp_path, *words) as sweep:
        os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, errors = sweep.communicate(timeout=60)
        assert sweep.returncode == 130
        assert errors == ""
        assert not alive(processes(tmp_path))


@pytest.mark.slow
@needs_proc
def test_the_workers_of_a_sweep_that_was_killed_end_too(tmp_path):
    with a_sweep(tmp_path) as sweep:
        sweep.kill()
        sweep.wait()
        end = time.monotonic() + 60
        while alive(processes(tmp_path)) and time.monotonic() < end:
            time.sleep(0.1)
        assert not alive(processes(tmp_path))


@contextmanager
def dask(*words: str):
    """A process of `dask scheduler` or `dask worker`."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*DASK, *words], start_new_session=True, env=ENVIRONMENT, **quiet) as process:
        try:
            yield process
        finally:
            kill_group(process)


@pytest.fixture
def scheduler(tmp_path):
    """A real scheduler; the file that its workers find it by, its address, and its process."""
    import json

    file = tmp_path / "scheduler.json"
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file) as process:
        end = time.monotonic() + 60
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.1)
        yield file, json.loads(file.read_text())["address"], process


def worker(file: Path):
    return dask("worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard", "--no-nanny")


@pytest.mark.slow
def test_a_cluster_outlives_a_worker_that_is_killed_and_says_when_none_is_left(scheduler, tmp_path, monkeypatch):
    file, address, process = scheduler
    folder = tmp_path / "notes"
    work = partial(on_cluster, NUMBERS, partial(workmen.slow_square, folder), address, 1)
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with pytest.raises(OSError, match="has no workers: start `dask worker tcp://"):
        next(work())
    monkeypatch.setattr(workers, "PATIENCE", 60)
    with worker(file) as one, worker(file):
        results = work()
        done = [next(results)]
        while len(processes(folder)) < 2:
            done.append(next(results))
        one.kill()
        assert sorted([*done, *results]) == sorted(SQUARES.items())
        assert sum(runs(folder, n) for n in NUMBERS) <= len(NUMBERS) + 2
        monkeypatch.setattr(workers, "PATIENCE", 1)
        results = on_cluster(range(100), partial(workmen.slow_square, folder), address, 1)
        next(results)
        kill_group(process)
        with pytest.raises(OSError, match=r"cluster at tcp.* is gone"):
            list(results)


@pytest.mark.slow
def test_a_cluster_made_for_the_while_outlives_a_killed_worker_and_records_errors(tmp_path):
    def run(number):
        return (workmen.failing if runs(tmp_path, BAD) else workmen.deadly)(tmp_path, number)

    results = dict(on_cluster(NUMBERS, run, "local", 2))
    assert results.pop(BAD).error == "ValueError: the learning rate is too hot"
    assert results == {n: s for n, s in SQUARES.items() if n != BAD}
    assert runs(tmp_path, BAD) == 1  # the run that killed its worker; `failing` notes none


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr(workers, "ANSWER", 1)
    with pytest.raises(OSError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9: "):
        next(on_cluster([1], abs, "tcp://127.0.0.1:9", 1))
    with pytest.raises(OSError, match="no Dask scheduler answers at here: "):
        next(on_cluster([1], abs, "here", 1))


def test_workers_of_another_version_are_refused():
    class Client:
        def run(self, function):
            return {"one": function(), "two": "0.0.1"}

    with pytest.raises(ValueError, match=r"the workers at tcp://x have vlprompt 0\.0\.1, .*, but here is"):
        workers.check_version(Client(), "tcp://x")

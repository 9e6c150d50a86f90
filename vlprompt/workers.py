"""Who does the work of a sweep: this process, processes on this machine, or a Dask cluster.

Each way takes a function and points (anything hashable that can be sent to a process), and gives (point, what the
function returned or Failure) as they finish, in any order. A worker that dies takes only the points with it that were
in work, and those are tried again.
"""

import os
import signal
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

Run = Callable[[Hashable], object]
Outcomes = Iterator[tuple[Hashable, object]]

TOGETHER, ALONE = 2, 1  # how many workers may die at a point among others, and then at it alone
DIED = "its worker died each time (killed, or out of memory)"
ANSWER, PATIENCE = 10, 120  # seconds until a cluster's scheduler answers, and that it may have no worker
# A cluster that is made here: as many deaths as above, one point at a worker, and time to replace one that died.
LOCAL = {
    "distributed.scheduler.allowed-failures": TOGETHER,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.deploy.lost-worker-timeout": PATIENCE,
}


@dataclass(frozen=True)
class Failure:
    """Why a point has no result: the error in a sentence, and where in the code it arose."""

    error: str
    trace: str = ""


def attempt(run: Run, point: Hashable) -> object:
    """What `run` returns, or the error that stopped it."""
    try:
        return run(point)
    except Exception as error:  # whatever it is, it is recorded, and the other points go on
        return Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def in_this_process(points: Sequence[Hashable], run: Run) -> Outcomes:
    """One point after the other, here."""
    for point in points:
        yield point, attempt(run, point)


def on_this_machine(points: Sequence[Hashable], run: Run, jobs: int) -> Outcomes:
    """Points on `jobs` processes of one thread each.

    When a worker dies, all that were in work begin again; a point that was there twice is then run with no other
    beside it, which is easier on the memory and shows whether it is the one.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    waiting, deaths = dict.fromkeys(points), Counter()
    while waiting:
        together = [p for p in waiting if deaths[p] < TOGETHER]
        batch, begun = together or [next(iter(waiting))], []
        try:
            with closing(pool(batch, run, jobs if together else 1, begun)) as outcomes:
                for point, outcome in outcomes:
                    del waiting[point]
                    yield point, outcome
        except TerminatedWorkerError:
            for point in (p for p in begun if p in waiting):
                deaths[point] += 1
                if deaths[point] >= TOGETHER + ALONE:
                    del waiting[point]
                    yield point, Failure(DIED)


def pool(points: Sequence[Hashable], run: Run, jobs: int, begun: list[Hashable]) -> Outcomes:
    """The points, `jobs` at a time in a pool of processes; `begun` gets those that a worker was given."""
    from joblib import Parallel, delayed, parallel_config

    def calls():
        for point in points:
            begun.append(point)
            yield delayed(in_pool)(run, point)

    # joblib replaces a worker that has grown too large, and a sweep may be stopped: both are as they should be.
    for message in ("A worker stopped while some jobs were given", r"\d+ tasks (have been|which were still being)"):
        warnings.filterwarnings("ignore", message, UserWarning)
    with parallel_config("loky", inner_max_num_threads=1, initializer=belong_to_the_sweep):
        # A pool of one would be this process; pre_dispatch holds the points in work to `jobs`.
        workers = Parallel(max(jobs, 2), return_as="generator_unordered", pre_dispatch=jobs, batch_size=1)
    yield from workers(calls())


def in_pool(run: Run, point: Hashable) -> tuple[Hashable, object]:
    return point, attempt(run, point)


def belong_to_the_sweep() -> None:
    """Make this process end with the one that started it, however that ended, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def on_cluster(points: Sequence[Hashable], run: Run, address: str, jobs: int) -> Outcomes:
    """Points on the workers of a Dask cluster, or of one of `jobs` processes made for the while (`address` "local").

    Raises OSError when there is no cluster, or no worker for two minutes.
    """
    from dask.distributed import as_completed

    with connect(address, jobs) as client:
        futures = {client.submit(attempt, run, point, pure=False): point for point in points}
        ready, last_seen = as_completed(list(futures), with_results=True), time.monotonic()
        while futures:
            for future, result in ready.next_batch(block=False):
                if future.status == "cancelled":
                    raise gone(address)
                point = futures.pop(future)
                # An error is the cluster's own: workers that died, or that cannot import the code.
                yield point, Failure(f"{result[0].__name__}: {result[1]}") if future.status == "error" else result
            if has_workers(client, address):
                last_seen = time.monotonic()
            elif time.monotonic() > last_seen + PATIENCE:
                raise OSError(f"no worker is left at {address}: start some, and the same command goes on")
            time.sleep(0.25)


def has_workers(client, address: str) -> bool:
    """Whether the cluster has a worker now."""
    try:
        return bool(client.scheduler_info(n_workers=1)["workers"])
    except OSError:
        raise gone(address) from None


def gone(address: str) -> OSError:
    return OSError(f"the Dask cluster at {address} is gone; the same command goes on when it is back")


@contextmanager
def connect(address: str, jobs: int):
    """A client of the cluster. A cluster that is not there, or without workers, is an OSError."""
    try:
        import dask
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise ValueError("a Dask cluster needs dask.distributed: pip install 'vlprompt[sweep]'") from None
    if address == "local":
        how = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None, "silence_logs": "CRITICAL"}
        with dask.config.set(LOCAL), LocalCluster(jobs, **how) as cluster, Client(cluster) as client:
            leave_interrupts_here(client)
            yield client
        return
    try:
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise OSError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise OSError(f"the Dask scheduler at {address} has no workers: start `dask worker {address}`") from None
        check_version(client, address)
        yield client


def leave_interrupts_here(client) -> None:
    """Let the workers ignore Ctrl-C, which is for the sweep."""
    from dask.distributed import WorkerPlugin

    class IgnoreInterrupts(WorkerPlugin):
        def setup(self, worker):
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    client.register_plugin(IgnoreInterrupts())


def check_version(client, address: str) -> None:
    """A ValueError where a worker has no vlprompt, or another version than this process."""
    from vlprompt import __version__ as here

    try:
        versions = set(client.run(version).values())
    except (ImportError, AttributeError) as error:
        raise ValueError(f"a worker of the cluster at {address} has no vlprompt {here}: {error}") from None
    if versions != {here}:
        raise ValueError(f"the workers at {address} have vlprompt {', '.join(sorted(versions))}, but here is {here}")


def version() -> str:
    """The version of vlprompt in a worker."""
    from vlprompt import __version__

    return __version__

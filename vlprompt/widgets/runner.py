"""Training off the kernel's main thread: one run at a time in a kernel, and the last wish wins."""

import atexit
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from vlprompt.points import Point
from vlprompt.train import Watch

Rows = list[dict]
PAUSE = 0.2  # seconds at least between two reports of steps: a page need not show each
ENDS = ("done", "stopped", "failed")


@dataclass(eq=False)
class Wish:
    """Points to be trained one after the other, and how far that is.

    `run(point, watch)` gives the rows of a point and `keep(point, rows)` takes them. Each of `listeners` is called when
    something has changed: on the worker's thread, or on the one that asked for another training.
    """

    points: tuple[Point, ...]
    run: Callable[[Point, Watch], Rows]
    keep: Callable[[Point, Rows], None]
    listeners: list[Callable[[], None]] = field(default_factory=list)
    stage: str = "waiting"  # then preparing, training, testing for each point, and one of ENDS
    done: int = 0  # points that are finished
    step: int = 0  # of the point that is trained now
    steps: int = 0
    losses: list[list[float]] = field(default_factory=list)  # one list a point that was begun
    error: str = ""
    trace: str = ""
    why: str = ""  # why it was stopped, where nobody pressed stop
    first: tuple[float, float] | None = None  # when the first step was done, and the share of all that it was
    told: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        return self.stage in ENDS

    @property
    def share(self) -> float:
        """How much of all steps is done, 0 to 1."""
        return (self.done + (self.step / self.steps if self.steps else 0)) / len(self.points)

    def seconds_left(self) -> float | None:
        """About how long it will take, as long as what is done took; None before there is anything to go by."""
        if self.first is None or self.share <= self.first[1]:
            return None
        began, share = self.first
        return (time.monotonic() - began) * (1 - self.share) / (self.share - share)

    def stop(self, why: str = "") -> None:
        """Ask for an end: after the step that is being done, or after the test."""
        self.why = why
        self.stopping.set()

    def work(self) -> None:
        """Train all points. Never raises: what goes wrong is said by `stage`, `error` and `trace`."""
        try:
            for point in self.points:
                self.check()
                self.step = self.steps = 0
                self.losses.append([])
                self.tell("preparing")
                rows = self.run(point, self.watch)
                self.keep(point, rows)
                self.done, self.step = self.done + 1, 0
            self.tell("done")
        except KeyboardInterrupt:
            self.tell("stopped")
        except BaseException as error:  # the thread's last chance to say it
            self.error, self.trace = f"{type(error).__name__}: {error}", traceback.format_exc()
            self.tell("failed")

    def watch(self, step: int, steps: int, loss: float) -> None:
        """What `fit` calls after each step."""
        self.step, self.steps = step, steps
        self.losses[-1].append(loss)
        self.first = self.first or (time.monotonic(), self.share)
        self.check()
        if step == steps:
            self.tell("testing")
        elif self.stage != "training" or time.monotonic() - self.told > PAUSE:
            self.tell("training")

    def check(self) -> None:
        if self.stopping.is_set():
            raise KeyboardInterrupt

    def tell(self, stage: str) -> None:
        """Go to a stage, and call the listeners."""
        self.stage, self.told = stage, time.monotonic()
        for listener in tuple(self.listeners):
            listener()


class Worker:
    """Grants wishes one at a time on a thread of its own; a new one stops the one before it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now: Wish | None = None
        self.next: Wish | None = None
        self.thread: threading.Thread | None = None

    @property
    def latest(self) -> Wish | None:
        """The wish that was asked for last, if it has not ended."""
        with self.lock:
            return self.next or self.now

    def ask(self, wish: Wish) -> None:
        """Grant a wish as soon as what runs now has stopped."""
        with self.lock:
            overtaken, self.next = self.next, wish
            running = self.now
            if self.thread is None:
                self.thread = threading.Thread(target=self.loop, name="vlprompt-training", daemon=True)
                self.thread.start()
        if running is not None:
            running.stop("another training was begun")
        if overtaken is not None:  # it never began
            overtaken.stop("another training was begun")
            overtaken.tell("stopped")

    def loop(self) -> None:
        while True:
            with self.lock:
                self.now, self.next = self.next, None
                if self.now is None:
                    self.thread = None
                    return
            self.now.work()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until there is nothing to do; whether that came about in time."""
        thread = self.thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def end(self) -> None:
        """Stop what runs: the kernel goes down."""
        for wish in (self.next, self.now):
            if wish is not None:
                wish.stop("the kernel ended")
        self.wait(3)


WORKER = Worker()  # the kernel's only one, whatever number of panels it shows
atexit.register(WORKER.end)

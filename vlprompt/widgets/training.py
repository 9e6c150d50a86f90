"""The controls that train what a panel shows: train here, stop, a bar, the loss as a curve, and words."""

import html
import threading
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

import ipywidgets as widgets

from vlprompt.plots import COLOURS
from vlprompt.points import Point
from vlprompt.widgets.runner import WORKER, Rows, Wish, Worker

Points = Callable[[], list[Point]]
WIDE, HIGH = 480, 130  # of the loss curve, in pixels
SMOOTH = 10  # steps


class Training:
    """Buttons and a report on training, for one panel.

    `points()` says what the panel shows now, `around()` what lies around it and is missing; it is None where that
    would take too long, and `device` says why. `run(point, watch)` gives rows, `keep(point, rows)` takes them, and
    `landed()` is called when results have come. `name(point)` and `kept` are words of the report: what a point is, and
    what became of the results.
    """

    def __init__(
        self,
        points: Points,
        run: Callable[..., Rows],
        keep: Callable[[Point, Rows], None],
        landed: Callable[[], None],
        *,
        device: str,
        around: Points | None = None,
        name: Callable[[Point], str] | None = None,
        kept: str = "kept on this machine for the next time",
        worker: Worker = WORKER,
    ):
        self.run, self.keep, self.landed, self.worker = run, keep, landed, worker
        self.name, self.kept = name or named, kept
        self.wish: Wish | None = None
        self.writing = threading.RLock()  # the worker's thread and the kernel's both write reports
        self.seen = 0  # results of the wish that the panel has been told of
        self.begin = button("Train here", "play", "Train the point that is shown, with each seed that is chosen")
        self.begin.on_click(lambda _: self.ask(points()))
        self.stop = button("Stop", "stop", "Stop the training after the step that is being done", disabled=True)
        self.stop.on_click(lambda _: self.end())
        self.grid = [button("Train the grid around", "th", "Train the points around this one that are missing")]
        if around is None:
            self.grid = []
        for each in self.grid:
            each.on_click(lambda _: self.ask(around(), "All points around this one have results."))
        self.bar = widgets.FloatProgress(min=0, max=1, description="Progress", style={"bar_color": COLOURS["learned"]})
        self.bar.layout.width = "min(22em, 100%)"
        self.status, self.curve = widgets.HTML(), widgets.HTML()
        row = widgets.Box(
            [self.begin, *self.grid, self.stop, self.bar, widgets.HTML(f"<span>{html.escape(device)}</span>")]
        )
        row.layout = widgets.Layout(flex_flow="row wrap", align_items="center")
        self.box = widgets.VBox([row, self.status, self.curve])

    def ask(self, points: Sequence[Point], nothing: str = "") -> None:
        """Begin the training of some points, unless it is just these that are being trained."""
        points = tuple(points)
        if not points:
            self.status.value = status(nothing)
        elif self.wish is None or self.wish.ended or self.wish.stopping.is_set() or self.wish.points != points:
            wish = Wish(points, self.run, self.keep)
            self.follow(wish)
            self.worker.ask(wish)

    def end(self) -> None:
        """Stop the training that is shown."""
        self.wish.stop()
        self.show(self.wish)

    def follow(self, wish: Wish) -> None:
        """Show how a wish goes, from now on."""
        with self.writing:
            self.wish, self.seen = wish, 0
        wish.listeners.append(partial(self.show, wish))
        self.show(wish)

    def resume(self, mine: Callable[[Point], bool]) -> None:
        """Show a training of points of `mine` that goes on: the cell of the panel that began it was run again."""
        going_on = self.worker.latest
        if going_on is not None and all(map(mine, going_on.points)):
            self.follow(going_on)

    def show(self, wish: Wish) -> None:
        """Write into the panel how far a wish is; one that another has followed says nothing any more."""
        with self.writing:
            if wish is not self.wish:
                return
            self.stop.disabled = wish.ended or wish.stopping.is_set()
            self.bar.value = wish.share
            self.curve.value = loss_curve(wish)
            self.status.value = report(wish, self.name, self.kept)
            if wish.done > self.seen:
                self.seen = wish.done
                self.landed()


def button(label: str, icon: str, tip: str, disabled: bool = False) -> widgets.Button:
    return widgets.Button(description=label, icon=icon, tooltip=tip, disabled=disabled, layout={"width": "auto"})


def status(text: str, aloud: bool = True) -> str:
    """A line that a screen reader reads out, unless it changes all the time."""
    return f"<p{' role=status' if aloud else ''} style='margin:4px 2px'>{text}</p>"


def report(wish: Wish, name: Callable[[Point], str], kept: str) -> str:
    """How far a wish is, in a sentence."""
    total = len(wish.points)
    which = f"run {min(wish.done + 1, total)} of {total} ({html.escape(name(wish.points[min(wish.done, total - 1)]))})"
    if wish.stage == "failed":
        trace = f"<details><summary>The whole error</summary><pre>{html.escape(wish.trace)}</pre></details>"
        return f"<div role='alert'><b>The training failed</b> in {which}: {html.escape(wish.error)}{trace}</div>"
    if wish.stage == "stopped":
        because = f": {wish.why}" if wish.why else ""
        return status(f"Stopped after {wish.done} of {total} run{'s' * (total > 1)}{because}.")
    if wish.stage == "done":
        return status(f"Done: {total} run{'s' * (total > 1)}, {kept}.")
    if wish.stopping.is_set():
        return status("Stopping after this step.")
    if wish.stage == "waiting":
        return status("About to begin.")
    doing = {
        "preparing": "getting ready",
        "training": f"step {wish.step} of {wish.steps}, loss {wish.losses[-1][-1]:.2f}" if wish.step else "",
        "testing": "testing",
    }[wish.stage]
    left = wish.seconds_left()
    return status(
        f"{which[0].upper()}{which[1:]}: {doing}" + (f"; about {duration(left)} left." if left else "."), wish.step == 0
    )


def named(point: Point) -> str:
    """A point by what differs between those of one wish."""
    return f"{point.task}, J={point.depth}, M={point.length}, seed {point.seed}"


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def loss_curve(wish: Wish) -> str:
    """The loss of each run at each step, as a drawing of the page's own: it takes no time, and follows the theme."""
    runs = [losses for losses in wish.losses if losses]
    if not runs:
        return ""
    top = max(max(losses) for losses in runs) or 1.0
    steps = max(wish.steps, *(len(losses) for losses in runs), 2)
    scaled = partial(polyline, steps=steps, top=top)
    lines = [scaled(running_mean(losses), colour=COLOURS["frozen"], width=1.5) for losses in runs[:-1]]
    lines += [scaled(runs[-1], colour=COLOURS["learned"], width=0.8)]
    lines += [scaled(running_mean(runs[-1]), colour=COLOURS["learned"], width=2.5)]
    words = f"Loss of run {len(wish.losses)}: {runs[-1][0]:.2f} at its first step, {runs[-1][-1]:.2f} now."
    return (
        f"<svg role='img' aria-label='{words}' viewBox='-46 -16 {WIDE + 60} {HIGH + 46}' fill='currentColor' "
        f"font-size='12' style='width:100%;max-width:{WIDE + 60}px'>"
        f"<path d='M0 0V{HIGH}H{WIDE}' fill='none' stroke='currentColor'/>"
        f"<text x='-6' y='8' text-anchor='end'>{top:.1f}</text><text x='-6' y='{HIGH}' text-anchor='end'>0</text>"
        f"<text x='6' y='-4'>loss; thick: mean of the last {SMOOTH} steps</text>"
        f"<text x='{WIDE}' y='{HIGH + 16}' text-anchor='end'>step {steps}</text>"
        f"{''.join(lines)}</svg>"
    )


def running_mean(losses: Sequence[float]) -> list[float]:
    """The mean of the last SMOOTH losses at each step: single batches jump."""
    return [fmean(losses[max(0, i + 1 - SMOOTH) : i + 1]) for i in range(len(losses))]


def polyline(losses: Sequence[float], steps: int, top: float, colour: str, width: float) -> str:
    """Losses as a line, with no more points than can be seen."""
    stride = -(-len(losses) // 300)
    places = " ".join(
        f"{WIDE * i / (steps - 1):.1f},{HIGH * (1 - losses[i] / top):.1f}" for i in range(0, len(losses), stride)
    )
    return f"<polyline points='{places}' fill='none' stroke='{colour}' stroke-width='{width}'/>"

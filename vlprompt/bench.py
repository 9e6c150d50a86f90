"""`vlprompt bench`: how much faster and smaller the engine is than the papers' codes, with the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from open_clip import IMAGENET_CLASSNAMES
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from vlprompt import flops, measure
from vlprompt.backbone import Backbone
from vlprompt.steps import ROWS, STEPS, Numbers, Step, Work
from vlprompt.tasks.task import check_range, nearest

CLOSE = {"logits": 1e-4, "gradient": 1e-3}  # in float32, relative to the largest number
NAMES = list(dict.fromkeys(IMAGENET_CLASSNAMES))  # two of the thousand stand there twice


def bench(
    backbone: Backbone,
    names: Sequence[str],
    *,
    rows: Sequence[str] | None = None,
    repeats: int = 3,
    precision: torch.dtype | None = None,
    compiled: Sequence[bool] | None = None,
    backend: str = "inductor",
    progress: bool = True,
) -> dict:
    """Run the steps of `rows` (default: all of `ROWS`) in both ways, in turn, `repeats` times.

    By default in float32 on a CPU; on a GPU in bfloat16, the engine both without and with `torch.compile`. Returns what
    `vlprompt bench --json` prints; benchmarks/README.md says what each entry means.
    """
    wanted = check_rows(rows)
    check_range("repeats", repeats, 1, 10**6)
    on_gpu = backbone.device.type == "cuda"
    precision = precision or (torch.bfloat16 if on_gpu else torch.float32)
    how = How(backbone.device, precision, compiled or ([False, True] if on_gpu else [False]), backend, repeats)
    found = []
    steps = {served: step for served, step in STEPS.items() if set(served) & set(wanted)}
    with tqdm(total=len(steps) * (repeats + 1), unit="round", disable=not progress) as bar:
        for served, make in steps.items():
            bar.set_description(served[0])
            step = make(backbone, names)
            mine = [row for row in served if row in wanted]
            found += run_step(step, mine, how, bar)
    # What the goals are for:
    at_scale = backbone.name.startswith("ViT-B-16") and len(names) == 100 and not on_gpu
    return {
        "machine": measure.machine(how.device),
        "backbone": backbone.name,
        "classes": len(names),
        "precision": str(precision).removeprefix("torch."),
        "repeats": repeats,
        "rows": found if at_scale else [{**row, "goal": None, "memory_goal": None} for row in found],
        "agree": all(row["agree"] for row in found),
    }


def check_rows(rows: Sequence[str] | None) -> list[str]:
    """The names of the rows, all for None; ValueError for one that is not in `ROWS`."""
    for row in rows or ():
        if row not in ROWS:
            raise ValueError(nearest("row", row, list(ROWS)))
    return list(ROWS if rows is None else rows)


@dataclass(frozen=True)
class How:
    """How the steps are run."""

    device: torch.device
    precision: torch.dtype
    compiled: Sequence[bool]  # the engine without `torch.compile`, with it, or both
    backend: str  # of torch.compile
    repeats: int


@dataclass
class Figures:
    """What one way of a step took."""

    flops: int
    peak: int
    seconds: list[float]

    def report(self, images: int, needed: float, rate: float) -> dict:
        middle = median(self.seconds)
        return {
            "seconds": [s / images for s in self.seconds],
            "median": middle / images,
            "peak_bytes": self.peak,
            "flops": self.flops / images,
            "needed_of_flops": needed / self.flops,
            "of_matrix_rate": self.flops / middle / rate,
        }


def run_step(step: Step, rows: Sequence[str], how: How, bar: tqdm) -> list[dict]:
    """The reports of a step's rows: both ways once to count and compare, then in turn by the clock."""
    plain = step.plain.within(how.device, how.precision)
    theirs, plain_figures = examine(step.plain, plain, how.device)
    ways: dict[tuple[str, bool], tuple[Work, Figures, dict[str, float]]] = {}
    for row in rows:
        eager = step.engine[row].within(how.device, how.precision)
        ours, figures = examine(step.engine[row], eager, how.device)
        difference = apart(ours, theirs)
        for on in how.compiled:
            ways[row, on] = eager, figures, difference
            if on:
                work = eager.compiled(how.backend)
                work()  # compiles
                peak = measure.peak_memory(work, how.device)[1]
                ways[row, on] = work, Figures(figures.flops, peak, []), difference
    bar.update()
    rates = []
    for _ in range(how.repeats):
        rates.append(measure.matrix_rate(how.device, how.precision))  # each time: other work comes and goes
        plain_figures.seconds.append(measure.seconds(plain, how.device))
        for work, figures, _ in ways.values():
            figures.seconds.append(measure.seconds(work, how.device))
        bar.update()
    return [
        report(step, row, compiled, plain_figures, figures, difference, median(rates))
        for (row, compiled), (_, figures, difference) in ways.items()
    ]


def report(
    step: Step, row: str, compiled: bool, plain: Figures, engine: Figures, difference: dict[str, float], rate: float
) -> dict:
    """One entry of `rows` in the JSON object."""
    needed, about = step.needed[row], ROWS[row]
    slow, fast = (figures.report(step.images, needed, rate) for figures in (plain, engine))
    return {
        "row": row,
        "about": about.about,
        "compiled": compiled,
        "ratio": slow["median"] / fast["median"],
        "ratios": [one / other for one, other in zip(slow["seconds"], fast["seconds"], strict=True)],
        "goal": about.goal,
        "memory_ratio": slow["peak_bytes"] / fast["peak_bytes"],
        "memory_goal": about.memory_goal,
        "flops_ratio": slow["flops"] / fast["flops"],
        "needed_flops": needed / step.images,
        "matrix_rate": rate,
        "plain": slow,
        "engine": fast,
        "apart": difference,
        "agree": all(difference[what] < CLOSE[what] for what in difference),
    }


def examine(exact: Work, timed: Work, device: torch.device) -> tuple[Numbers, Figures]:
    """The numbers and FLOPs of `exact`, in float32, and the peak memory of `timed`: one run where they are the same."""
    (numbers, done), peak = measure.peak_memory(lambda: flops.spent(exact), device)
    if timed is not exact:
        peak = measure.peak_memory(timed, device)[1]
    return numbers, Figures(done, peak, [])


def apart(ours: Numbers, theirs: Numbers) -> dict[str, float]:
    """The largest differences of two ways, relative to the largest number."""

    def relative(one: Tensor, other: Tensor) -> float:
        return float((one - other).abs().max() / other.abs().max().clamp(min=1e-30))

    logits, gradients = relative(ours[0], theirs[0]), list(map(relative, ours[1], theirs[1]))
    return {"logits": logits, **({"gradient": max(gradients)} if gradients else {})}


def show(result: dict) -> None:
    """Print the table of a result, on standard output."""
    about = result["machine"]
    place = about.get("gpu") or f"{about['processor']}, {about['threads']} threads"
    title = f"{result['backbone']}, {result['classes']} classes, {result['precision']}, {place}"
    table = Table(title=title, title_justify="left")
    table.add_column("step", no_wrap=True)
    for column in ("papers' way", "engine", "faster", "goal", "memory", "smaller", "needed/spent", "of matrix rate"):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        slow, fast = row["plain"], row["engine"]
        table.add_row(
            row["about"] + (", compiled" if row["compiled"] else ""),
            _time(slow["seconds"]),
            _time(fast["seconds"]),
            f"{row['ratio']:.1f}×",
            f"{row['goal']:g}×" if row["goal"] else "",
            f"{_bytes(slow['peak_bytes'])} → {_bytes(fast['peak_bytes'])}",
            f"{row['memory_ratio']:.1f}×",
            f"{slow['needed_of_flops']:.0%} → {fast['needed_of_flops']:.0%}",
            f"{slow['of_matrix_rate']:.0%} → {fast['of_matrix_rate']:.0%}",
        )
    console = Console()
    console.width = max(console.width, 160) if not console.is_terminal else console.width
    console.print(table)
    for row in result["rows"]:
        if not row["agree"]:
            console.print(f"{row['row']}: the two ways differ by {row['apart']}, more than {CLOSE}")


def _time(seconds: list[float]) -> str:
    unit, scale = ("s", 1) if median(seconds) >= 1 else ("ms", 1000)
    low, middle, high = (_three(scale * value) for value in (min(seconds), median(seconds), max(seconds)))
    return f"{middle} {unit} ({low}–{high})"


def _bytes(count: int) -> str:
    return f"{_three(count / 2**30)} GiB" if count >= 2**30 else f"{_three(count / 2**20)} MiB"


def _three(number: float) -> str:
    """Three figures, more before the point."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"

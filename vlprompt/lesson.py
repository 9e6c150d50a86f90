"""What every lesson uses: claims, figures with their words, tables, intervals, and the road.

A notebook begins with `import vlprompt` and one line that takes what it needs from here.
"""

import html
import io
import platform
from base64 import b64encode
from collections.abc import Iterable, Sequence
from importlib.metadata import version

import PIL.Image
import torch
import torch.nn.functional as F
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from vlprompt import checks, drawing, engine, evaluate, methods, plots, sentences, tasks

__all__ = [
    "ROAD",
    "F",
    "check_machine",
    "checks",
    "claim",
    "drawing",
    "engine",
    "evaluate",
    "interval",
    "methods",
    "plots",
    "road",
    "sentences",
    "show",
    "table",
    "tasks",
    "torch",
]

# The lessons in their order: name of the notebook, and what it builds.
ROAD = (
    ("00_start", "nothing yet: the machine, the images, the small CLIP"),
    ("01_prompts_in_language", "a template, an answer search and an answer map for sentences"),
    ("02_clip_zero_shot", "a classifier out of two encoders and a sentence"),
    ("03_visual_prompt_tuning", "learned tokens among the patches of an image tower"),
    ("04_prompts_in_pixels", "a learned patch, a learned frame"),
    ("05_coop", "learned vectors in the place of words"),
    ("06_cocoop", "a prompt for each image, made by a Meta-Net"),
    ("07_maple", "prompts in both towers, tied layer by layer"),
    ("08_depth_and_length", "a map of how deep and how long a prompt should be"),
    ("09_your_own_task", "a method and a task of your own"),
)


def claim(text: str, condition: object) -> None:
    """Print one fixed line if the claim holds, and raise AssertionError if it does not.

    `text` is the sentence that the prose above states after `> **Seen:**`, word for word.
    """
    if not bool(condition):
        raise AssertionError(f"this claim does not hold here: {text}")
    print(f"holds: {text}")


LARGE = 90_000  # bytes: a picture above is kept in 256 colours, so that notebooks stay small


def show(figure: Figure, alt: str, dpi: int = 100) -> None:
    """Show a figure as a PNG with `alt`, the words for those who cannot see it (as alt text, and in text alone)."""
    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    if buffer.tell() > LARGE:
        pixels = PIL.Image.open(buffer).convert("RGB").quantize(256)
        buffer = io.BytesIO()
        pixels.save(buffer, format="png", optimize=True)
    picture = b64encode(buffer.getvalue()).decode()
    display({"image/png": picture, "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> None:
    """Show a table with a caption; numbers to the right, floats with one digit."""

    def cell(value: object) -> str:
        text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
        side = "left" if isinstance(value, str) else "right"
        return f'<td style="text-align:{side}">{html.escape(text)}</td>'

    head = "".join(f'<th scope="col" style="text-align:left">{html.escape(c)}</th>' for c in columns)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    display(HTML(f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"))


def road(here: str, whole: bool = False) -> None:
    """Show the road of the ten lessons, as a line, or as a list with what each of them builds."""
    names = [name for name, _ in ROAD]
    if here not in names:
        raise ValueError(f"no lesson is named {here!r}; they are {', '.join(names)}")
    lines = []
    for name, builds in ROAD:
        number, title = name[:2], name[3:].replace("_", " ").replace("clip", "CLIP")
        place = "**← you are here**" if name == here else ""
        if whole:
            lines.append(f"| {number} | {title} | {builds} | {place} |")
        else:
            lines.append(f"**{number} {title} (you are here)**" if name == here else f"{number} {title}")
    head = "| | lesson | you build | |\n|---|---|---|---|\n"
    display(Markdown(head + "\n".join(lines) if whole else "**The road:** " + " → ".join(lines)))


def interval(values: Sequence[float], draws: int = 4000, seed: int = 0) -> tuple[float, float, float]:
    """The mean of some values and its 95 % interval by the bootstrap: (mean, low, high)."""
    numbers = torch.tensor(list(values), dtype=torch.float64)
    if len(numbers) < 2:
        raise ValueError(f"an interval needs at least 2 values, not {len(numbers)}")
    draw = torch.Generator().manual_seed(seed)
    means = numbers[torch.randint(len(numbers), (draws, len(numbers)), generator=draw)].mean(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return numbers.mean().item(), low, high


LEAST = {"torch": (2, 14), "open_clip_torch": (3, 3), "numpy": (2, 0), "matplotlib": (3, 10)}


def check_machine() -> None:
    """Print a line for each thing that the course needs and this machine has; else say what to do.

    The lines are the same on every machine. Raises RuntimeError with the remedy.
    """
    require("Python", platform.python_version(), (3, 11))
    for package, least in LEAST.items():
        require(package, version(package), least)
    total = (torch.arange(4, dtype=torch.float32) @ torch.ones(4)).item()
    if total != 6:
        raise RuntimeError(f"torch adds 0 + 1 + 2 + 3 to {total}: its installation is damaged, run the set-up again")
    print("torch can add.")


def require(what: str, have: str, least: tuple[int, int]) -> None:
    """Print that a version is new enough, or raise RuntimeError with the remedy."""
    wanted = ".".join(map(str, least))
    if tuple(int(part) for part in have.split("+")[0].split(".")[:2]) < least:
        raise RuntimeError(f"{what} is {have}, but {wanted} or newer is needed: run the set-up again")
    print(f"{what} is {wanted} or newer.")

"""Compare recipes for the small CLIP on validation images, as its presets in `vlprompt/recipes.py` were chosen.

    python benchmarks/recipes.py coop lr=0.05 epochs=20
    python benchmarks/recipes.py vpt-deep head=linear lr=0.1,0.5 --tasks plants,faces

Trains on the training drawings of each base class but one, and tests on that one, by an artist whom training did
not meet, as the test sets do; and on the training drawings of the new classes. No test image is read.
"""

import argparse
import itertools
import json
import time
from contextlib import suppress
from dataclasses import fields, replace
from statistics import fmean

import torch

import vlprompt
from vlprompt.evaluate import accuracy, harmonic_mean
from vlprompt.methods import METHODS
from vlprompt.points import Point
from vlprompt.recipes import Recipe
from vlprompt.tasks.classes import read_tasks, styles_on
from vlprompt.tasks.emoji import drawings, pick
from vlprompt.tasks.scenes import paint, random_layout
from vlprompt.train import fit

TASKS = "fruit-and-vegetables,birds-and-sea-life,faces,transport"
IMAGES = 10  # a class, for validation


def held_out(name: str):
    """The task with two sides: "fit", its training drawings without the last artist's, and "check", that one's."""
    things = read_tasks()[name].things

    def painter(label, side, count, generator):
        world = drawings()
        artists = styles_on(world, things[label], "T")
        shown = artists[-1:] if side == "check" or len(artists) == 1 else artists[:-1]
        rows = pick([world.rows[things[label], artist] for artist in shown], count, generator)
        return paint(world.pixels[rows][:, None], random_layout(count, generator), generator)

    return replace(vlprompt.tasks.load(name), painter=painter)


def measure(backbone, point: Point, task) -> tuple[float, float]:
    """Accuracy in per cent on base classes (a new artist's drawings) and on new classes (0 for a learned head)."""
    base, new = task.base(), task.new()
    given = {"templates": task.template} if point.method == "zero-shot" else {"seed": point.seed}
    learner = METHODS[point.method](backbone, base.classnames, **given, **point.method_options)
    images, labels = base.images("train", "fit", point.shots, point.seed)
    fit(learner, backbone.prepare(images), labels, point.plan, seed=point.seed, progress=False)
    images, labels = base.images("validation", "check", IMAGES, 0)
    right = accuracy(learner, backbone.prepare(images), labels)
    if hasattr(learner, "head"):
        return right, 0.0
    images, labels = new.images("validation", "fit", IMAGES, 0)
    return right, accuracy(learner.with_classes(new.classnames), backbone.prepare(images), labels)


def read(pairs: list[str]) -> list[dict]:
    """`lr=0.1,0.2 epochs=5` -> every combination of the values, as dictionaries."""

    def value(text: str):
        with suppress(json.JSONDecodeError):
            return json.loads(text)
        return text

    columns = [[(k, value(v)) for v in values.split(",")] for k, values in (p.split("=") for p in pairs)]
    return [dict(row) for row in itertools.product(*columns)]


def main() -> None:
    """Print a line for each recipe: base, new, harmonic mean, seconds of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("changes", nargs="*", help="of the recipe, or options of the method: lr=0.1,0.2 epochs=5")
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    backbone = vlprompt.load("tiny")
    tasks = [held_out(name) for name in asked.tasks.split(",")]
    known = {f.name for f in fields(Recipe)}
    for row in read(asked.changes):
        changes = tuple((k, v) for k, v in row.items() if k in known)
        options = tuple((k, v) for k, v in row.items() if k not in known)
        start = time.perf_counter()
        results = [
            measure(backbone, Point(asked.method, task.name, seed=seed, options=options, changes=changes), task)
            for task in tasks
            for seed in range(asked.seeds)
        ]
        seconds = (time.perf_counter() - start) / len(results)
        base, new = (fmean(column) for column in zip(*results, strict=True))
        mean = harmonic_mean(base, new)
        print(f"{asked.method:16} {row}  base {base:.1f}  new {new:.1f}  H {mean:.1f}  {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()

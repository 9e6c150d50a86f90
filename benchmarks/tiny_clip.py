"""Measure the small CLIP: the table of its card, `data/tiny-clip/README.md`.

    python benchmarks/tiny_clip.py

Zero-shot with a good and with bad templates, and a linear probe with 16 shots, on test drawings that neither
pretraining nor the probe's training showed.
"""

from statistics import fmean

import vlprompt
from vlprompt.evaluate import accuracy, keep_features
from vlprompt.methods import LinearProbe, ZeroShot
from vlprompt.recipes import recipe
from vlprompt.train import fit

# The words are known to the model; what they say of the image is false, or they leave the sentence out.
BARE = "{}"
MISLEADING = "a photo of a {}, a type of flag."
SEEDS = (1, 2, 3)


def measure(backbone, name: str) -> dict[str, float]:
    """Accuracies in per cent on a task's test set."""
    task = vlprompt.tasks.load(name)
    images, labels = task.test()
    images = backbone.prepare(images)
    row = {"classes": len(task.classnames), "chance": 100 / len(task.classnames)}
    for column, template in {"zero-shot": task.template, "bare": BARE, "misleading": MISLEADING}.items():
        method = ZeroShot(backbone, task.classnames, templates=template)
        features = keep_features(method, images)
        row[column] = accuracy(method, features, labels)
    row["probe"] = fmean(probe(backbone, task, images, labels, seed) for seed in SEEDS)
    return row


def probe(backbone, task, images, labels, seed: int) -> float:
    """Accuracy of a linear probe that was trained with 16 shots."""
    method = LinearProbe(backbone, task.classnames, seed=seed)
    shots, shot_labels = task.train(16, seed)
    fit(method, backbone.prepare(shots), shot_labels, recipe("linear-probe", "tiny"), seed=seed, progress=False)
    return accuracy(method, images, labels)


def main() -> None:
    """Print the table as Markdown."""
    backbone = vlprompt.load("tiny")
    print("| task | classes | chance | zero-shot | bare name | misleading | probe, 16 shots |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = {}
    for name in vlprompt.tasks.task_names():
        row = rows[name] = measure(backbone, name)
        print(
            f"| {name} | {row['classes']} | " + " | ".join(f"{v:.1f}" for v in list(row.values())[1:]) + " |",
            flush=True,
        )
    things = [row for name, row in rows.items() if vlprompt.tasks.load(name).group == "natural"]
    means = [fmean(row[column] for row in things) for column in list(things[0])[1:]]
    print("| **mean of the eleven** | | " + " | ".join(f"{v:.1f}" for v in means) + " |")


if __name__ == "__main__":
    main()

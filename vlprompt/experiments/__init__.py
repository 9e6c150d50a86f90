"""The papers' experiments, one file each: the points to run, and the table of what came out."""

from vlprompt.experiments import (
    base_to_new,
    cross_dataset,
    depth_length,
    domain,
    few_shot,
    maple_ablations,
    pixels,
    vpt,
)

# The names at the command line.
EXPERIMENTS = {
    "base-to-new": base_to_new,
    "cross-dataset": cross_dataset,
    "domain": domain,
    "few-shot": few_shot,
    "vpt": vpt,
    "pixels": pixels,
    "maple-ablations": maple_ablations,
    "depth-length": depth_length,
}

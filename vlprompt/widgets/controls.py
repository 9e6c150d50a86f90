"""The controls that the panels on depth and length share; each has a label, and none answers while it is dragged."""

from collections.abc import Mapping, Sequence

import ipywidgets as widgets

from vlprompt.experiments.depth_length import LENGTHS

# A branch of the paper's comparison: which towers get prompts, and whether those are tied to each other.
BRANCHES = {
    "vision-only": "image tower (vision-only)",
    "language-only": "text tower (language-only)",
    "independent-vl": "both towers, independent",
    "maple": "both towers, coupled (MaPLe)",
}
LABEL = {"description_width": "initial"}
SLIDER = {"width": "min(22em, 100%)", "margin": "2px 12px 2px 2px"}


def choice(label: str, options: Mapping[str, object], tip: str, value: object = None) -> widgets.Dropdown:
    """A list to choose from: {what is read: its value}."""
    return widgets.Dropdown(
        description=label, options=list(options.items()), value=value or next(iter(options.values())), tooltip=tip,
        style=LABEL, layout={"width": "max-content", "margin": "2px 12px 2px 2px"},
    )  # fmt: skip


def branch() -> widgets.Dropdown:
    """Which towers get prompts; at first MaPLe's."""
    options = {name: method for method, name in BRANCHES.items()}
    return choice("Prompts in", options, "Which towers get prompts, and whether they are coupled", "maple")


def depth(layers: int = 12) -> widgets.IntSlider:
    """How many layers are prompted, J."""
    return widgets.IntSlider(
        description="Depth J", value=min(9, layers), min=1, max=layers, continuous_update=False, style=LABEL,
        tooltip="How many layers get prompts of their own, from the first", layout=SLIDER,
    )  # fmt: skip


def length(lengths: Sequence[int] = LENGTHS) -> widgets.SelectionSlider:
    """How many tokens a prompted layer gets, M."""
    return widgets.SelectionSlider(
        description="Length M", options=list(lengths), value=2 if 2 in lengths else lengths[0],
        continuous_update=False, style=LABEL, tooltip="How many prompt tokens each of these layers gets", layout=SLIDER,
    )  # fmt: skip

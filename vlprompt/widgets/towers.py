"""Where the prompts go: the drawing of the two towers, which follows branch, depth and length."""

from vlprompt.backbone import Backbone
from vlprompt.drawing import WORDS, towers
from vlprompt.experiments.common import ABLATION_TASKS
from vlprompt.experiments.depth_length import LENGTHS
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.widgets import controls, costs
from vlprompt.widgets.common import Panel, View

TASK = ABLATION_TASKS[0]  # whose class names stand in the sentences; what is drawn and counted does not depend on it
SHARED = ("method", "depth", "length")


def where_prompts_go(
    beside: Panel | None = None, *, backbone: str = "tiny", pretrained: str | None = None, device: str | None = None
) -> Panel:
    """A panel that draws which layers get which tokens, what is learned, what couples them, and counts it.

    With `beside`, such as the explorer of depth and length, it has that panel's controls, so that both show the same.
    ValueError for an unknown backbone. Khattak et al. 2023, "MaPLe", figure 2 and section 3.2.
    """
    clip = open_backbone(backbone, pretrained, device)
    if beside is not None:
        choose = {name: beside.controls[name] for name in SHARED}
    else:
        layers = min(clip.text_layers, clip.vision_layers)
        choose = {"method": controls.branch(), "depth": controls.depth(layers), "length": controls.length(LENGTHS)}
    return Panel("Where the prompts go", choose, lambda **chosen: draw(clip, **chosen))


def draw(clip: Backbone, method: str, depth: int, length: int) -> View:
    """The towers of a backbone with the prompts of a method, drawn from what the method itself says."""
    point = Point(method, TASK, depth=depth, length=length)
    prompts = costs.made(point, clip, open_task(TASK).classnames[:2]).prompts()
    tie = "coupling" if method == "maple" else ""
    parts = costs.terms(method, depth, length, clip)
    title = f"{controls.BRANCHES[method]}: J = {depth}, M = {length}, {sum(part.count for part in parts):,} learned"
    figure, added = towers(prompts, title=title, tie=tie, words=WORDS, layers=max(clip.text_layers, clip.vision_layers))
    what = f"J = {depth} layers, M = {length}; d_t = {clip.text_width} and d_v = {clip.vision_width} are the widths"
    return View(figure, f"{words(added, length)} Learned: {costs.formula(parts)}.", costs.cost_table(parts, what))


def words(added: dict, length: int) -> str:
    """What was drawn, in sentences."""
    tokens = f"{length} token{'s' * (length > 1)}"
    told = []
    if text := added["text layers"]:
        told.append(f"Text tower: {tokens} in {in_layers(text)}, at the front of every sentence.")
    if vision := added["vision layers"]:
        told.append(f"Image tower: {tokens} in {in_layers(vision)}, beside the patches.")
    if added["tie"] == "coupling":
        told.append("Those of the image tower are made from the text tower's, by a linear map of each layer's own.")
    elif text and vision:
        told.append("The two towers' prompts are learned without each other.")
    return " ".join([*told, "All else is frozen."])


def in_layers(layers: list[int]) -> str:
    return "layer 1" if len(layers) == 1 else f"each of layers 1 to {len(layers)}"

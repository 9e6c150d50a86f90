"""What every method keeps to, so that training, evaluation, protocols and checkpoints can use it; `faults` looks.

For a method of one's own: `assert not faults(MyMethod, backbone)`.
"""

import inspect
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts

NAMES, OTHERS = ["cat", "dog", "house", "tree"], ["boat", "river", "apple"]
PARTS = {
    "backbone": "the CLIP that it was given",
    "classnames": "the list of names, in the order of its logits",
    "options": "a dictionary of the other arguments, with which `with_classes` makes it again",
    "keeps_image_features": "True if no prompt of it changes an image's features, so that they can be kept",
    "prompts": "a function that returns the `Prompts` that it adds to the towers",
    "image_features": "a function from images (B, 3, H, W) to features (B, E)",
    "classifier": "a function that returns the function from features (B, E) to logits (B, C)",
    "with_classes": "a function from other names to the same method for them",
}


def faults(make: Callable[..., nn.Module], backbone: Backbone) -> list[str]:
    """What a method breaks of the contract, a sentence each; empty if it keeps all of it.

    `make(backbone, classnames)` is the method's class, or a function that makes it. What it raises is not caught.
    One question is asked after the other, and the faults of the first that finds any are returned.
    """
    method = make(backbone, list(NAMES))
    if not isinstance(method, nn.Module):
        return [f"it is a {type(method).__name__}, and no torch.nn.Module"]
    missing = [f"it has no `{part}`: {what}" for part, what in PARTS.items() if not hasattr(method, part)]
    if missing:
        return missing
    return next((found for look in LOOKS if (found := list(look(make, backbone)))), [])


def some_images(backbone: Backbone) -> Tensor:
    """Three images of noise, (3, 3, H, W), the same each time."""
    size = backbone.image_size
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0)).to(backbone.device)


def what_is_learned(make: Callable[..., nn.Module], backbone: Backbone) -> Iterator[str]:
    """Nothing but its own numbers are parameters, and nothing else is in its state."""
    method = make(backbone, list(NAMES))
    frozen = {id(p) for p in backbone.model.parameters()}
    learned = dict(method.named_parameters())
    if inside := [name for name, p in learned.items() if id(p) in frozen]:
        yield f"the frozen CLIP's weights are among its parameters ({inside[0]}): keep `backbone` and no module of it"
    if extra := sorted(set(method.state_dict()) - set(learned)):
        yield f"its state_dict holds {extra[0]}, which is not learned: keep it as a plain attribute"
    if still := [name for name, p in learned.items() if not p.requires_grad]:
        yield f"its parameter {still[0]} does not learn: make it a plain attribute"


def what_it_answers(make: Callable[..., nn.Module], backbone: Backbone) -> Iterator[str]:
    """Logits of the right shape, in one step or in two, and prompts that the engine knows."""
    method, images = make(backbone, list(NAMES)), some_images(backbone)
    if list(method.classnames) != NAMES:
        yield f"its classnames are {list(method.classnames)}, but it was made for {NAMES}"
    if not isinstance(method.prompts(), Prompts):
        yield f"`prompts()` returns a {type(method.prompts()).__name__}; Prompts() is the one that adds nothing"
    method = make(backbone, list(NAMES))  # anew: one that draws has drawn
    features = method.image_features(images)
    if features.shape != (3, backbone.embed_dim):
        yield f"`image_features` gives the shape {tuple(features.shape)} for 3 images, not (3, {backbone.embed_dim})"
        return
    logits = make(backbone, list(NAMES))(images)
    if logits.shape != (3, len(NAMES)):
        yield f"the logits have the shape {tuple(logits.shape)} for 3 images and {len(NAMES)} classes"
        return
    if not logits.isfinite().all():
        yield "some logits are not finite"
    elif not torch.allclose(method.classifier()(features), logits, atol=1e-4):
        yield "`classifier()` on `image_features(images)` gives other logits than the method itself"


def what_gets_gradients(make: Callable[..., nn.Module], backbone: Backbone) -> Iterator[str]:
    """Every parameter hears from the loss, and features change with the prompts only if it says so."""
    method, images = make(backbone, list(NAMES)), some_images(backbone)
    learned = dict(method.named_parameters())
    if not learned:
        return
    before = method.image_features(images).detach()
    F.cross_entropy(method(images), torch.tensor([0, 1, 2], device=backbone.device)).backward()
    if deaf := [name for name, p in learned.items() if p.grad is None]:
        yield f"no gradient reaches its parameter {deaf[0]}: something detaches it, or nothing uses it"
    with torch.no_grad():
        for p in learned.values():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)).to(p.device))
        changed = not torch.allclose(method.image_features(images), before, atol=1e-6)
    if changed and method.keeps_image_features:
        yield "`keeps_image_features` is True, but `image_features` change with what it learns: nothing would train"
    if not changed and not method.keeps_image_features:
        yield "`keeps_image_features` is False, but `image_features` never change: training would be slow for nothing"


def what_is_drawn(make: Callable[..., nn.Module], backbone: Backbone) -> Iterator[str]:
    """The same seed gives the same first values, from a generator of its own."""
    takes_seed = "seed" in inspect.signature(make).parameters
    options = {"seed": 3} if takes_seed else {}
    state = torch.get_rng_state()
    one, same = (make(backbone, list(NAMES), **options) for _ in range(2))
    if not torch.equal(torch.get_rng_state(), state):
        yield "it draws from torch's own random numbers: use torch.Generator().manual_seed(seed)"
    for (name, a), b in zip(one.named_parameters(), same.parameters(), strict=True):
        if not torch.equal(a, b):
            yield f"made twice with the same seed, its {name} starts with other values"
            return


def what_other_names_do(make: Callable[..., nn.Module], backbone: Backbone) -> Iterator[str]:
    """`with_classes` carries over all that was learned, as copies, or refuses with a ValueError."""
    method = make(backbone, list(NAMES))
    with torch.no_grad():
        for p in method.parameters():
            p.add_(0.01)
    try:
        other = method.with_classes(list(OTHERS))
    except ValueError:
        return  # what has learned something for each class may refuse other names
    if list(other.classnames) != OTHERS or other(some_images(backbone)).shape != (3, len(OTHERS)):
        yield "`with_classes` gives a method for other names than those that it is given"
        return
    theirs = dict(other.named_parameters())
    for name, p in method.named_parameters():
        if name not in theirs or not torch.equal(theirs[name], p):
            yield f"`with_classes` does not carry over what {name} has learned"
        elif theirs[name].data_ptr() == p.data_ptr():
            yield f"`with_classes` shares {name} with the method that it comes from: copy it"


LOOKS = (what_is_learned, what_is_drawn, what_it_answers, what_gets_gradients, what_other_names_do)

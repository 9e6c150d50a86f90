"""The contract of the methods as a function: the library's own keep it, and each way to break it is named."""

import re

import pytest
import torch
import torch.nn.functional as F
from clips import clip
from torch import nn

from vlprompt.engine import Prompts, encode_image, encode_text
from vlprompt.methods import METHODS, CoOp
from vlprompt.methods.common import by_cosine, with_names
from vlprompt.methods.contract import faults
from vlprompt.sentences import around_context


@pytest.fixture
def backbone():
    return clip(vision=(12, 32), text=(12, 32), context=32)


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_of_the_library_keep_it(name, backbone):
    assert faults(METHODS[name], backbone) == []


class Own(nn.Module):
    """A context, as somebody would write it: the right one, which the classes below spoil in one place each."""

    keeps_image_features = True

    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__()
        self.backbone, self.classnames, self.options = backbone, list(classnames), {"seed": seed}
        self.sentences = around_context(backbone, self.classnames, 2, None)
        draw = torch.Generator().manual_seed(seed)
        self.context = nn.Parameter(0.02 * torch.randn(2, backbone.text_width, generator=draw))

    def prompts(self, features=None):
        return Prompts(text=(self.context,))

    def image_features(self, images):
        return F.normalize(encode_image(self.backbone, images, self.prompts()), dim=-1)

    def classifier(self):
        text = encode_text(self.backbone, self.sentences, self.prompts())
        return by_cosine(self.backbone, F.normalize(text, dim=-1))

    def forward(self, images):
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames):
        return with_names(self, classnames)


class WithAModel(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, classnames, seed=seed)
        self.visual = backbone.visual


class WithABuffer(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, classnames, seed=seed)
        self.register_buffer("prefix", torch.zeros(2))


class Frozen(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, classnames, seed=seed)
        self.context.requires_grad_(False)


class Unused(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, classnames, seed=seed)
        self.more = nn.Parameter(torch.zeros(2))


class Global(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, classnames, seed=seed)
        self.context = nn.Parameter(0.02 * torch.randn(2, backbone.text_width))


class OwnOrder(Own):
    def __init__(self, backbone, classnames, *, seed=0):
        super().__init__(backbone, sorted(classnames, reverse=True), seed=seed)


class InTheImage(Own):
    def prompts(self, features=None):
        return Prompts(text=(self.context,), vision=(self.context,))


class SlowForNothing(Own):
    keeps_image_features = False


class NoPrompts(Own):
    def prompts(self, features=None):
        return (self.context,)

    def image_features(self, images):
        return F.normalize(encode_image(self.backbone, images), dim=-1)

    def classifier(self):
        text = encode_text(self.backbone, self.sentences, Prompts(text=self.prompts()))
        return by_cosine(self.backbone, F.normalize(text, dim=-1))


class TwoWays(Own):
    def forward(self, images):
        return super().forward(images) / self.backbone.logit_scale


class Turned(Own):
    def image_features(self, images):
        return super().image_features(images).T


class Forgets(Own):
    def with_classes(self, classnames):
        return type(self)(self.backbone, classnames, **self.options)


class Shares(Own):
    def with_classes(self, classnames):
        other = type(self)(self.backbone, classnames, **self.options)
        other.context = self.context
        return other


class SameNames(Own):
    def with_classes(self, classnames):
        return with_names(self, self.classnames)


class NotFinite(Own):
    def forward(self, images):
        return super().forward(images) * float("nan")


BROKEN = {
    WithAModel: "the frozen CLIP's weights are among its parameters",
    WithABuffer: "its state_dict holds prefix, which is not learned",
    Frozen: "its parameter context does not learn",
    Unused: "no gradient reaches its parameter more",
    Global: "it draws from torch's own random numbers",
    OwnOrder: "its classnames are",
    InTheImage: "`keeps_image_features` is True, but",
    SlowForNothing: "`keeps_image_features` is False, but",
    NoPrompts: "`prompts.*` returns a tuple",
    TwoWays: "gives other logits than the method itself",
    Turned: "`image_features` gives the shape",
    Forgets: "does not carry over what context has learned",
    Shares: "shares context with the method",
    SameNames: "for other names than those that it is given",
    NotFinite: "some logits are not finite",
}


def test_a_method_of_ones_own_keeps_it(backbone):
    assert faults(Own, backbone) == []
    assert faults(lambda b, names: CoOp(b, names, class_specific=True), backbone) == [], "it may refuse other names"


@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_each_way_to_break_it_is_named(make, backbone):
    found = faults(make, backbone)
    assert any(re.search(BROKEN[make], fault) for fault in found), found


def test_what_is_no_method(backbone):
    assert faults(lambda b, names: 3, backbone) == ["it is a int, and no torch.nn.Module"]
    (*_, last) = faults(lambda b, names: nn.Linear(2, 2), backbone)
    assert last.startswith("it has no `with_classes`: a function from other names")

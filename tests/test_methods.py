"""One contract for all methods, the published counts, the invariants, and bad input."""

import copy
import inspect

import open_clip
import pytest
import torch
import torch.nn.functional as F
from clips import NAMES, apart, clip, images, plain
from torch import nn

from vlprompt import methods
from vlprompt.backbone import wrap
from vlprompt.engine import Prompts, encode_image
from vlprompt.methods import (
    METHODS,
    VPT,
    CoCoOp,
    CoOp,
    FixedPatch,
    FullFineTuning,
    IndependentVL,
    LanguageOnly,
    LinearProbe,
    MaPLe,
    Padding,
    RandomPatch,
    ZeroShot,
    count,
)

OTHERS = ["dog", "river", "a very old house"]
HEADS = {
    "vpt-linear": lambda *a, **k: VPT(*a, head="linear", **k),
    "full-linear": lambda *a, **k: FullFineTuning(*a, head="linear", **k),
}
ALL = METHODS | HEADS | {"coop-csc": lambda *a, **k: CoOp(*a, class_specific=True, **k)}
BOUND_TO_CLASSES = {"linear-probe", "coop-csc", *HEADS}
every = pytest.mark.parametrize("name", ALL)


@pytest.fixture
def backbone():
    return clip(vision=(12, 32), text=(12, 32), context=32)


# ---- the contract --------------------------------------------------------------------------------


@every
def test_forward_and_gradients(name, backbone):
    method = ALL[name](backbone, NAMES)
    logits = method(images(backbone, 3))
    assert logits.shape == (3, len(NAMES))
    assert logits.isfinite().all()
    parameters = dict(method.named_parameters())
    assert all(p.requires_grad for p in parameters.values())
    assert set(method.state_dict()) == set(parameters), "nothing but what is learned"
    assert count(method) == sum(p.numel() for p in parameters.values())
    if parameters:
        F.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
        assert sum(p.grad.abs().sum() for p in parameters.values()) > 0
    frozen = [*backbone.model.parameters()]
    assert not any(p.requires_grad or p.grad is not None for p in frozen)


@every
def test_in_two_steps(name, backbone):
    method, again = ALL[name](backbone, NAMES), ALL[name](backbone, NAMES)
    features = method.image_features(images(backbone))
    assert features.shape == (2, backbone.embed_dim)
    assert torch.equal(method.classifier()(features), again(images(backbone)))
    if name not in BOUND_TO_CLASSES:
        assert apart(features.norm(dim=-1), torch.ones(2)) < 1e-6
    assert features.requires_grad != method.keeps_image_features


@every
def test_what_is_added(name, backbone):
    method = ALL[name](backbone, NAMES)
    prompts = method.prompts()
    assert isinstance(prompts, Prompts)
    assert all(p.shape[-1] == backbone.text_width for p in prompts.text)
    assert all(p.shape[-1] == backbone.vision_width for p in prompts.vision)
    assert prompts.pixels is None or prompts.pixels.shape == (3, 24, 24)


@every
def test_the_plain_path_agrees(name, backbone):
    fast, slow = ALL[name](backbone, NAMES), ALL[name](plain(backbone), NAMES)
    assert apart(fast(images(backbone)), slow(images(backbone))) < 1e-5


@every
def test_seeds(name, backbone):
    state = torch.get_rng_state()
    one, same, other = (ALL[name](backbone, NAMES, **seed(name, s)) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator stays as it was"
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    if name not in ("zero-shot", "full-fine-tuning", "coop"):  # nothing of these is drawn: CoOp starts from words
        pairs = zip(one.parameters(), other.parameters(), strict=True)
        assert not all(torch.equal(a, b) for a, b in pairs)


def seed(name, number):
    return {} if name == "zero-shot" else {"seed": number}


@every
def test_other_class_names(name, backbone):
    method = ALL[name](backbone, NAMES)
    if name in BOUND_TO_CLASSES:
        with pytest.raises(ValueError, match="for each class and takes no other names untrained"):
            method.with_classes(OTHERS)
        return
    with torch.no_grad():
        for p in method.parameters():
            p += 0.01
    other = method.with_classes(OTHERS)
    assert other.classnames == OTHERS
    assert other(images(backbone)).shape == (2, 3)
    for a, b in zip(method.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.data_ptr() != b.data_ptr() or not a.numel()
    back = other.with_classes(NAMES)
    if name != "random-patch":
        assert torch.equal(back(images(backbone)), method(images(backbone)))


@every
def test_copies_share_the_backbone(name, backbone):
    method = ALL[name](backbone, NAMES)
    other = copy.deepcopy(method)
    assert other.backbone is backbone
    before = other(images(backbone)) if name != "random-patch" else None
    with torch.no_grad():
        for p in method.parameters():
            p += 1
    assert before is None or torch.equal(other(images(backbone)), before)


@pytest.mark.parametrize("name", [n for n in methods.__all__ if n[0].isupper() and n != "METHODS"])
def test_same_skeleton(name):
    method = getattr(methods, name)
    assert method.__bases__ == (nn.Module,)
    assert method.__doc__.splitlines()[0].endswith((".", "of the text's."))
    for part in ("prompts", "image_features", "classifier", "forward", "with_classes"):
        assert part in vars(method)
    kinds = [p.kind for p in inspect.signature(method).parameters.values()]
    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) <= {inspect.Parameter.KEYWORD_ONLY}


def test_fine_tuning_leaves_the_backbone_alone(backbone):
    before = encode_image(backbone, images(backbone))
    method = FullFineTuning(backbone, NAMES).train()
    assert torch.equal(method.image_features(images(backbone)), F.normalize(before, dim=-1))
    with torch.no_grad():
        for p in method.parameters():
            p += 0.1
    assert not torch.equal(method.image_features(images(backbone)), F.normalize(before, dim=-1))
    assert torch.equal(encode_image(backbone, images(backbone)), before)


def test_random_patch_moves(backbone):
    method = RandomPatch(backbone, NAMES, size=4)
    corners = set()
    for _ in range(400):
        pixels = method.prompts().pixels
        assert pixels.count_nonzero() == 48
        corners.add(tuple((pixels[0] != 0).nonzero()[0].tolist()))
    rows, columns = zip(*corners, strict=True)
    assert {min(rows), min(columns)} == {0}
    assert {max(rows), max(columns)} == {20}, "to the last row and column"


def test_what_is_added_can_be_read(backbone):
    said = {
        "zero-shot": "Prompts()",
        "maple": "Prompts(vision: (2, 32) in layers 1-9, text: (2, 32) in layers 1-9)",
        "padding": "Prompts(pixels: (3, 24, 24))",
        "coop-csc": "Prompts(text: (5, 4, 32) in layers 1-1)",
    }
    assert {name: repr(ALL[name](backbone, NAMES).prompts()) for name in said} == said
    assert repr(backbone) == "Backbone('small', 24 pixels, on cpu)"


# ---- the published counts ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vit_b_16():
    with torch.random.fork_rng():
        vision = {"layers": 12, "width": 768, "patch_size": 16, "image_size": 224}
        text = {"layers": 12, "width": 512, "heads": 8}
        model = open_clip.CLIP(512, vision, text, quick_gelu=True)
    return wrap(model, open_clip.SimpleTokenizer(), None, name="ViT-B-16")


@pytest.mark.parametrize(
    ("method", "options", "published"),
    [
        (ZeroShot, {}, 0),
        (CoOp, {"length": 16}, 8_192),
        (CoOp, {"init": "a photo of a"}, 2_048),
        (CoOp, {"length": 16, "class_specific": True}, 8_192 * 3),
        (CoCoOp, {}, 35_360),
        (CoCoOp, {"length": 16, "init": None}, 41_504),
        (VPT, {}, 73_728),
        (VPT, {"depth": 1}, 6_144),
        (VPT, {"length": 50}, 460_800),
        (LanguageOnly, {}, 24_576),
        (IndependentVL, {}, 30_720),
        (
            IndependentVL,
            {"vision_depth": 9, "text_depth": 9, "vision_length": 4, "text_length": 4},
            46_080,
        ),
        (IndependentVL, {"text_depth": 0, "vision_length": 8}, 73_728),
        (MaPLe, {}, 3_555_072),
        (MaPLe, {"depth": 3}, 1_185_024),
        (MaPLe, {"depth": 1}, 395_008),
        (MaPLe, {"depth": 12}, 4_740_096),
        (MaPLe, {"length": 4}, 3_564_288),
        (MaPLe, {"shared_coupling": True}, 403_200),
        (MaPLe, {"depth": 12, "shared_coupling": True}, 406_272),
        (Padding, {}, 69_840),
        (FixedPatch, {}, 2_700),
        (RandomPatch, {}, 2_700),
        (LinearProbe, {}, 513 * 3),
        (FullFineTuning, {}, 86_192_640),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_published_counts(method, options, published, vit_b_16):
    assert count(method(vit_b_16, ["cat", "dog", "river"], **options)) == published


def test_published_first_values(vit_b_16):
    tokens = VPT(vit_b_16, ["cat"]).tokens[0]
    assert 0.062 < tokens.abs().max() <= 0.0625
    maple = MaPLe(vit_b_16, ["dog"])
    assert maple.sentences.tokens[0, :8].tolist() == [49406, 320, 1125, 539, 320, 1929, 269, 49407]
    assert maple.sentences.slots[0, :8].tolist() == [-1, 0, 1, -1, -1, -1, -1, -1]
    words = vit_b_16.text.token_embedding.weight
    assert torch.equal(maple.context[0], words[[320, 1125]])
    deeper = maple.coupling[1:]
    assert all(torch.equal(f.weight, deeper[0].weight) for f in deeper), "they start as copies"
    assert not torch.equal(maple.coupling[0].weight, deeper[0].weight)


# ---- invariants ----------------------------------------------------------------------------------


def test_no_depth_is_zero_shot(backbone):
    x, exact = images(backbone), {}
    exact["photo"] = ZeroShot(backbone, NAMES)(x)
    for method in (
        VPT(backbone, NAMES, depth=0),
        LanguageOnly(backbone, NAMES, depth=0),
        IndependentVL(backbone, NAMES, vision_depth=0, text_depth=0),
        MaPLe(backbone, NAMES, depth=0),
        MaPLe(backbone, NAMES, depth=0, shared_coupling=True),
    ):
        assert method.keeps_image_features
        assert not list(method.parameters())
        assert torch.equal(method(x), exact["photo"])


def test_no_pixels_are_zero_shot(backbone):
    x = images(backbone)
    zero_shot = ZeroShot(backbone, ["cat", "dog"], templates="This is a photo of a {}")(x)
    assert torch.equal(Padding(backbone, ["cat", "dog"], width=0)(x), zero_shot)
    for method in (
        Padding(backbone, ["cat", "dog"]),
        FixedPatch(backbone, ["cat", "dog"]),
        RandomPatch(backbone, ["cat", "dog"]),
    ):
        with torch.no_grad():
            for p in method.parameters():
                p.zero_()
        assert torch.equal(method(x), zero_shot)


def test_words_as_context_are_zero_shot(backbone):
    x = images(backbone)
    zero_shot = ZeroShot(backbone, NAMES)(x)
    for method in (
        CoOp(backbone, NAMES, init="a photo of a"),
        CoOp(backbone, NAMES, length=2, init="a photo of a"),
        CoOp(backbone, NAMES, init="a photo of a", class_specific=True),
        LanguageOnly(backbone, NAMES, depth=1),
    ):
        assert apart(method(x), zero_shot) < 1e-5


def test_cocoop_with_a_zero_meta_net_is_coop(backbone):
    cocoop = CoCoOp(backbone, NAMES, length=4, init=None)
    coop = CoOp(backbone, NAMES, length=4, init=None)
    assert torch.equal(cocoop.context, coop.context), "the same seed draws the same context"
    assert apart(cocoop(images(backbone)), coop(images(backbone))) > 1e-4
    with torch.no_grad():
        for p in cocoop.meta_net.parameters():
            p.zero_()
    assert apart(cocoop(images(backbone)), coop(images(backbone))) < 1e-5


def test_maple_of_depth_one_without_vision_is_coop(backbone):
    maple = MaPLe(backbone, NAMES, depth=1, length=4, init=None)
    coop = CoOp(backbone, NAMES, length=4)
    features = coop.image_features(images(backbone))
    assert torch.equal(maple.classifier()(features), coop(images(backbone)))


def test_maple_shared_with_one_layer_is_maple(backbone):
    one, shared = (MaPLe(backbone, NAMES, depth=1, shared_coupling=s) for s in (False, True))
    assert torch.equal(one(images(backbone)), shared(images(backbone)))


def test_maple_is_independent_with_the_mapped_tokens(backbone):
    maple = MaPLe(backbone, NAMES, depth=3, shared_coupling=True)
    free = IndependentVL(backbone, NAMES, vision_depth=3, text_depth=3)
    with torch.no_grad():
        for mine, theirs in zip(free.context, maple.context, strict=True):
            mine.copy_(theirs)
        for mine, theirs in zip(free.tokens, maple.prompts().vision, strict=True):
            mine.copy_(theirs)
    assert torch.equal(free(images(backbone)), maple(images(backbone)))


def test_ensemble_normalises_before_and_after_the_mean(backbone):
    templates = ["a photo of a {}.", "art of the {}."]
    ensemble = ZeroShot(backbone, NAMES, templates=templates)
    texts = [[t.replace("{}", n.replace("_", " ")) for n in NAMES] for t in templates]
    each = [backbone.model.encode_text(backbone.tokenize(text), normalize=True) for text in texts]
    assert apart(ensemble.text, F.normalize((each[0] + each[1]) / 2, dim=-1)) < 1e-5
    again = ZeroShot(backbone, NAMES, templates=templates)
    assert torch.equal(ensemble.text, again.text), "the list of templates does not grow"


def test_the_fused_full_stop_stays_with_the_name(backbone):
    """`kite (bird of prey).` ends in one token `).`: nothing stands between name and end token."""
    method = CoOp(backbone, ["kite (bird of prey)", "cat"], position="front")
    kite, cat = method.sentences.slots.tolist()
    assert kite[:13] == [-1] * 7 + [0, 1, 2, 3, -1, -1]
    assert cat[:9] == [-1, -1, 0, 1, 2, 3, -1, -1, -1]
    assert method.sentences.ends.tolist() == [11, 7]


# ---- bad input -----------------------------------------------------------------------------------

LONG = "a name " * 13


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda b: CoOp(b, []), "no class names; give at least one"),
        (lambda b: CoOp(b, "cat"), "classnames is one string, 'cat'; give a list"),
        (lambda b: CoOp(b, ["cat", 3]), "3 is a int"),
        (lambda b: CoOp(b, ["cat", " "]), "class name 1 is empty"),
        (lambda b: ZeroShot(b, ["cat", "dog", "Cat"]), "names 0 and 2 are the same .*'Cat'"),
        (lambda b: ZeroShot(b, ["cat", "dog_house", "dog house"]), "names 1 and 2 are the same"),
        (lambda b: ZeroShot(b, ["cat", LONG]), "'a name .* is 1 token too long"),
        (lambda b: CoOp(b, ["cat", LONG], length=8), "'a name .* is 5 tokens too long"),
        (lambda b: CoOp(b, ["cat"], length=30), "'cat' is 2 tokens too long: .* the 32 places"),
        (lambda b: ZeroShot(b, ["cat"], templates=[]), "no templates; give at least one"),
        (lambda b: ZeroShot(b, ["cat"], templates="a photo"), "holds one {} .*'a photo' does not"),
        (lambda b: CoOp(b, ["cat"], length=0), "length=0; a prompt is at least one vector long"),
        (lambda b: CoOp(b, ["cat"], length=2.5), "length=2.5; a prompt is"),
        (lambda b: CoOp(b, ["cat"], position="top"), "position='top'; .* 'end', 'middle' or"),
        (lambda b: CoOp(b, ["cat"], length=9, init="a photo"), "has 2 tokens; give length=2"),
        (
            lambda b: CoOp(b, ["cat"], length=1, init="a photo", position="front"),
            "length=1, but init='a photo' has 2 tokens",
        ),
        (lambda b: CoCoOp(b, ["cat"], length=-1), "length=-1"),
        (lambda b: VPT(b, ["cat"], depth=13), "depth of 13 .* image tower .* 12 layers; choose 0"),
        (lambda b: VPT(b, ["cat"], depth=-1), "a depth of -1"),
        (lambda b: VPT(b, ["cat"], length=0), "length=0"),
        (lambda b: VPT(b, ["cat"], head="mlp"), "head='mlp'"),
        (lambda b: FullFineTuning(b, ["cat"], head="mlp"), "head='mlp'"),
        (lambda b: LanguageOnly(b, ["cat"], depth=13), "depth of 13 .* text tower .* 12 layers"),
        (lambda b: LanguageOnly(b, ["cat"], length=0), "length=0"),
        (lambda b: IndependentVL(b, ["cat"], vision_depth=13), "depth of 13 in the image tower"),
        (lambda b: IndependentVL(b, ["cat"], text_depth=1.5), "depth of 1.5 in the text tower"),
        (lambda b: IndependentVL(b, ["cat"], vision_length=0), "vision_length=0"),
        (lambda b: IndependentVL(b, ["cat"], text_length=0), "text_length=0"),
        (lambda b: MaPLe(b, ["cat"], depth=13), "a depth of 13"),
        (lambda b: MaPLe(b, ["cat"], length=0), "length=0"),
        (lambda b: MaPLe(b, ["cat"], length=5), "length=5, but init='a photo of a' has 4 tokens"),
        (lambda b: Padding(b, ["cat"], width=13), "width=13; a frame on 24 pixels has 0 to 12"),
        (lambda b: FixedPatch(b, ["cat"], size=25), "size=25; a patch on 24 pixels has 1 to 24"),
        (lambda b: RandomPatch(b, ["cat"], size=0), "size=0; a patch"),
    ],
)
def test_bad_input(build, said, backbone):
    with pytest.raises(ValueError, match=said):
        build(backbone)


@every
def test_bad_images(name, backbone):
    with pytest.raises(ValueError, match=r"images are float tensors \(B, 3, 24, 24\)"):
        ALL[name](backbone, NAMES)(torch.zeros(2, 3, 20, 24))


def test_the_shallower_tower_decides():
    for options in ({"vision": (12, 32), "text": (4, 32)}, {"vision": (4, 32), "text": (12, 32)}):
        with pytest.raises(ValueError, match=r"a depth of 9 .* has 4 layers; choose 0 to 4"):
            MaPLe(clip(**options), NAMES)


@pytest.mark.parametrize("name", ["vpt-deep", "maple", "vision-only", "independent-vl"])
def test_a_resnet_takes_no_tokens(name):
    resnet = clip(vision=((1, 1, 1, 1), 16), text=(12, 32), size=32, context=32)
    with pytest.raises(ValueError, match="takes no tokens; use a method on its text or pixels"):
        METHODS[name](resnet, NAMES)


@pytest.mark.parametrize("name", ["coop", "cocoop", "language-only", "padding", "random-patch"])
def test_a_resnet_takes_text_and_pixels(name):
    resnet = clip(vision=((1, 1, 1, 1), 16), text=(12, 32), size=32, context=32)
    assert METHODS[name](resnet, NAMES)(images(resnet)).shape == (2, 5)

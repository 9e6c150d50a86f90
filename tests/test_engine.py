"""The fast towers are exact: they return what the plain ones do, and compute no token more."""

import dataclasses

import open_clip
import pytest
import torch
from clips import NAMES, apart, clip, images, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from vlprompt import text_tower
from vlprompt.engine import Prompts, check_images, encode_image, encode_text
from vlprompt.sentences import around_context, fill, read_names

WORDS = [
    *NAMES,
    "T-shirt",
    "a",
    "annual crop land",
    "!?",
    "Ångström",
    "x (y)",
    "2012 Tesla Model S",
]


def grads(outputs, parameters):
    """The outputs and, for a sum with uneven weights, the gradient of every parameter."""
    weights = torch.linspace(-1, 1, outputs.numel()).view_as(outputs)
    return [outputs, *torch.autograd.grad((weights * outputs).sum(), parameters)]


def assert_same(compute, backbone, parameters, tolerance=2e-5):
    ours, theirs = (grads(compute(b), parameters) for b in (backbone, plain(backbone)))
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert apart(one, other) < tolerance


def drawn(generator, *shape):
    return torch.randn(shape, generator=generator).requires_grad_()


sizes = st.fixed_dictionaries(
    {
        "vision": st.tuples(st.integers(1, 3), st.sampled_from([16, 48])),
        "text": st.tuples(st.integers(1, 3), st.sampled_from([16, 32])),
        "quick_gelu": st.booleans(),
        "kind": st.sampled_from([open_clip.CLIP, open_clip.CustomTextCLIP]),
    }
)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    sizes,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True),
    st.integers(1, 5),
    st.sampled_from(["end", "middle", "front"]),
    st.sampled_from(["one", "class", "image"]),
    st.integers(1, 3),
    st.sampled_from([2**31, 60_000, 1]),
    st.integers(0, 2**20),
)
def test_text_tower(size, names, length, position, context, depth, memory, seed):
    backbone = dataclasses.replace(clip(**size), memory=memory)
    draw = torch.Generator().manual_seed(seed)
    width, depth = backbone.text_width, min(depth, backbone.text_layers)
    sentences = around_context(backbone, names, length, None, position)
    shape = {"one": (), "class": (len(names),), "image": (3, 1)}[context]
    text = [drawn(draw, *shape, length, width)]
    text += [drawn(draw, length, width) for _ in range(depth - 1)]
    prompts = Prompts(text=tuple(text))
    assert_same(lambda b: encode_text(b, sentences, prompts), backbone, text)


@pytest.mark.parametrize("line", [1, 9, 48])
@pytest.mark.parametrize("shape", [(), (5,), (3, 1)], ids=["one context", "a class", "an image"])
def test_lines_of_one_or_many_sentences(line, shape, monkeypatch):
    monkeypatch.setattr(text_tower, "LINE", line)
    backbone, draw = clip(text=(3, 32)), torch.Generator().manual_seed(0)
    sentences = around_context(backbone, NAMES, 4, None)
    text = [drawn(draw, *shape, 4, 32), drawn(draw, 4, 32)]
    assert_same(lambda b: encode_text(b, sentences, Prompts(text=tuple(text))), backbone, text)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=60))
def test_lines_hold_every_sentence_once(counts):
    lines = {}
    for count, (line, start, order) in zip(counts, text_tower.fill_lines(counts), strict=True):
        line = lines.setdefault(line, [])
        assert (start, order) == (sum(line), len(line)), "one behind the other"
        line.append(count)
    assert list(lines) == list(range(len(lines)))
    assert all(sum(line) <= max(text_tower.LINE, *counts) for line in lines.values())


def test_sentences_are_packed_once():
    backbone, other = clip(), around_context(clip(), NAMES, 4, None)
    sentences = around_context(backbone, NAMES, 4, None)
    first = text_tower.packed(sentences, 5, slice(0, 5), backbone.device)
    assert text_tower.packed(sentences, 5, slice(0, 5), backbone.device) is first
    assert text_tower.packed(sentences, 5, slice(0, 4), backbone.device) is not first
    assert text_tower.packed(other, 5, slice(0, 5), backbone.device) is not first


@settings(deadline=None, max_examples=30, derandomize=True)
@given(sizes, st.integers(1, 3), st.integers(1, 4), st.booleans(), st.integers(0, 2**20))
def test_vision_tower(size, depth, length, pixels, seed):
    backbone = clip(**size)
    draw = torch.Generator().manual_seed(seed)
    depth = min(depth, backbone.vision_layers)
    tokens = [drawn(draw, length, backbone.vision_width) for _ in range(depth)]
    frame = drawn(draw, 3, 24, 24)
    prompts = Prompts(vision=tuple(tokens), pixels=frame if pixels else None)
    parameters = [*tokens, frame] if pixels else tokens
    assert_same(lambda b: encode_image(b, images(b), prompts), backbone, parameters)


@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
def test_nothing_added_is_open_clip(kind):
    backbone = clip(kind=kind)
    sentences = fill(backbone, "a photo of a {}.", read_names(backbone, NAMES))
    assert sentences.front(one_context=True) == 5, "start token and 'a photo of a' are shared"
    for b in (backbone, plain(backbone)):
        seen, read = b.model.encode_image(images(b)), b.model.encode_text(sentences.tokens)
        assert apart(encode_image(b, images(b)), seen) < 1e-5
        assert apart(encode_text(b, sentences), read) < 1e-5


def test_one_class_and_one_token():
    backbone = clip()
    for names in (["a"], ["a", "cat"], ["a", "a cat", "a cat in a hat"]):
        sentences = fill(backbone, "{}", names)
        read = backbone.model.encode_text(sentences.tokens)
        assert apart(encode_text(backbone, sentences), read) < 1e-5


def test_tokens_after_class_token_or_at_the_end():
    backbone = clip(vision=(3, 32))
    visual, tokens = backbone.visual, torch.randn(2, 32)
    x = visual.conv1(images(backbone)).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(2, 1, -1), x], 1) + visual.positional_embedding
    x = visual.ln_pre(torch.cat([x[:, :1], tokens.expand(2, -1, -1), x[:, 1:]], 1))
    after_class = visual.ln_post(visual.transformer(x)[:, 0]) @ visual.proj
    at_end = encode_image(backbone, images(backbone), Prompts(vision=(tokens,)))
    assert apart(at_end, after_class) < 1e-5


def test_autocast():
    """In bfloat16 both paths round, but neither breaks: prompts and residuals stay float32."""
    backbone = clip(text=(3, 32), vision=(3, 32))
    sentences = around_context(backbone, NAMES, 4, None)
    draw = torch.Generator().manual_seed(0)
    text = tuple(drawn(draw, 4, 32) for _ in range(2))
    vision = tuple(drawn(draw, 2, 32) for _ in range(2))
    whole = [*encode_both(backbone, sentences, text, vision)]
    with torch.autocast("cpu", torch.bfloat16):
        for b in (backbone, plain(backbone)):
            for exact, rounded in zip(whole, encode_both(b, sentences, text, vision), strict=True):
                assert apart(rounded, exact) < 0.05
                rounded.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in (*text, *vision))


def encode_both(backbone, sentences, text, vision):
    yield encode_text(backbone, sentences, Prompts(text=text))
    yield encode_image(backbone, images(backbone), Prompts(vision=vision))


# ---- what is computed, and how often -------------------------------------------------------------


@pytest.fixture
def rows():
    """Counts the tokens that enter the MLP of each layer: `rows(tower)` -> list."""
    handles, counts = [], {}

    def watch(tower):
        counts[id(tower)] = [0] * len(tower.transformer.resblocks)
        for i, block in enumerate(tower.transformer.resblocks):

            def count(_, given, i=i):
                counts[id(tower)][i] += given[0].shape[:-1].numel()

            handles.append(block.mlp.register_forward_pre_hook(count))
        return counts[id(tower)]

    yield watch
    for handle in handles:
        handle.remove()


def test_text_computes_real_tokens_only(rows):
    backbone = clip(text=(3, 32))
    names = read_names(backbone, NAMES)
    sentences = around_context(backbone, names, 4, None)
    own = sum(len(backbone.token_ids(f"{name}.")) + 1 for name in names)  # and the end token
    counts = rows(backbone.text)
    encode_text(backbone, sentences, Prompts(text=(torch.randn(4, 32),)))
    assert counts == [5 + own, 5 + own, len(names)]
    counts[:] = [0, 0, 0]
    encode_text(backbone, sentences, Prompts(text=(torch.randn(7, 1, 4, 32),)))
    assert counts == [7 * (5 + own), 7 * (5 + own), 7 * len(names)]
    counts[:] = [0, 0, 0]
    encode_text(plain(backbone), sentences, Prompts(text=(torch.randn(4, 32),)))
    assert counts == [24 * len(names)] * 3


def test_vision_computes_what_is_read_only(rows):
    backbone = clip(vision=(4, 32))
    counts = rows(backbone.visual)
    encode_image(backbone, images(backbone), Prompts(vision=tuple(torch.randn(3, 5, 32))))
    assert counts == [2 * 10, 2 * 10, 2 * 15, 2], "5 tokens are replaced twice, then carried on"


def test_no_loop_over_images(monkeypatch):
    calls = []
    read_own = text_tower.read_own
    monkeypatch.setattr(text_tower, "read_own", lambda *args: (calls.append(1), read_own(*args))[1])
    backbone = clip()
    sentences = around_context(backbone, NAMES, 4, None)
    encode_text(backbone, sentences, Prompts(text=(torch.randn(50, 1, 4, 32),)))
    assert len(calls) == 1


def kept_bytes(backbone, sentences, context):
    """What autograd keeps of the forward pass."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t), t)[1], lambda t: t):
        encode_text(backbone, sentences, Prompts(text=(context,)))
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    weights = {p.untyped_storage().data_ptr() for p in backbone.model.parameters()}
    return sum(size for pointer, size in storages.items() if pointer not in weights)


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_memory_is_bounded(quick_gelu):
    """The bound is one: what autograd keeps is below what is reckoned, and falls with it."""
    backbone = clip(text=(3, 32), quick_gelu=quick_gelu)
    sentences = around_context(backbone, NAMES, 4, None)
    context = torch.randn(20, 1, 4, 32, requires_grad=True)
    whole = kept_bytes(backbone, sentences, context)
    enough = dataclasses.replace(backbone, memory=2 * whole)
    assert len(text_tower.cut(enough, sentences, 20, 5, training=True)) == 1
    tight = dataclasses.replace(backbone, memory=whole)
    assert len(text_tower.cut(tight, sentences, 20, 5, training=True)) == 2
    in_chunks = kept_bytes(dataclasses.replace(backbone, memory=whole // 8), sentences, context)
    assert in_chunks < whole / 3


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 10**7), st.booleans())
@settings(deadline=None, derandomize=True)
def test_chunks_cover_all(fronts, classes, memory, training):
    backbone = dataclasses.replace(clip(), memory=memory)
    ends = torch.randint(6, 20, (classes,), generator=torch.Generator().manual_seed(memory))
    sentences = dataclasses.replace(fill(backbone, "{}", ["a"]), ends=ends)
    chunks = text_tower.cut(backbone, sentences, fronts, 5, training)
    assert [i for some, _ in chunks for i in range(fronts)[some]] == list(range(fronts))
    for some, row in chunks:
        assert [c for part in row for c in range(classes)[part]] == list(range(classes))
        assert len(row) == 1 or len(range(fronts)[some]) == 1, "images first, then classes"


# ---- which models fit ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"no_causal_mask": True},
        {"pool_type": "last"},
        {"no_causal_mask": True, "pool_type": "first"},
        {"qk_norm": True},
    ],
    ids=str,
)
def test_towers_that_look_back_take_the_plain_path(options):
    backbone = clip(kind=open_clip.CustomTextCLIP, **options)
    sentences = around_context(backbone, NAMES, 4, None)
    context = torch.randn(4, 32, requires_grad=True)
    prompts = Prompts(text=(context,))
    assert_same(lambda b: encode_text(b, sentences, prompts), backbone, [context], 1e-9)
    fixed = fill(backbone, "a photo of a {}.", NAMES)
    read = backbone.model.encode_text(fixed.tokens)
    assert apart(encode_text(backbone, fixed), read) < 1e-5


@pytest.mark.parametrize("options", [{"pool_type": "eos", "eos_id": 49407}, {"proj_type": "none"}, {"proj_bias": True}])
def test_other_causal_towers_take_the_fast_path(options, monkeypatch):
    embed = 32 if options.get("proj_type") else 24
    backbone = clip(kind=open_clip.CustomTextCLIP, embed=embed, **options)
    sentences = around_context(backbone, NAMES, 4, None)
    context = torch.randn(4, 32, requires_grad=True)
    prompts = Prompts(text=(context,))
    assert_same(lambda b: encode_text(b, sentences, prompts), backbone, [context])
    assert encode_text(backbone, sentences, prompts).shape == (5, backbone.embed_dim)


def test_a_resnet_takes_pixels_and_text():
    backbone = clip(vision=((1, 1, 1, 1), 16), size=32)
    frame = torch.randn(3, 32, 32)
    seen = encode_image(backbone, images(backbone), Prompts(pixels=frame))
    assert apart(seen, backbone.visual(images(backbone) + frame)) < 1e-6
    with pytest.raises(ValueError, match=r"a ModifiedResNet, takes no tokens; use a method on its"):
        encode_image(backbone, images(backbone), Prompts(vision=(torch.randn(2, 32),)))


def test_a_text_tower_of_another_kind_is_refused():
    backbone = clip(kind=open_clip.CustomTextCLIP, embed_cls=True)
    sentences = around_context(backbone, NAMES, 4, None)
    with pytest.raises(ValueError, match=r"takes no context; use a method on its pixels"):
        encode_text(backbone, sentences, Prompts(text=(torch.randn(4, 32),)))
    assert encode_text(backbone, sentences).shape == (5, 24)


@pytest.mark.parametrize(
    ("given_images", "said"),
    [
        (torch.zeros(2, 3, 23, 24), r"\(B, 3, 24, 24\).*given the shape \(2, 3, 23, 24\)"),
        (torch.zeros(3, 24, 24), r"given the shape \(3, 24, 24\)"),
        (torch.zeros(2, 24, 24, 3), r"given the shape \(2, 24, 24, 3\)"),
        (torch.zeros(2, 3, 24, 24, dtype=torch.uint8), r"given torch.uint8"),
        (torch.full((2, 3, 24, 24), 255.0), r"about -2 to 3; given values up to 255"),
        (torch.full((2, 3, 24, 24), float("nan")), r"given values up to nan"),
        (torch.zeros(2, 3, 24, 24, device="meta"), r"images are on meta, small on cpu"),
        ([[0.0]], r"given a list"),
    ],
)
def test_bad_images(given_images, said):
    with pytest.raises(ValueError, match=said):
        check_images(clip(), given_images)


def test_no_images_are_no_features():
    assert encode_image(clip(), torch.zeros(0, 3, 24, 24)).shape == (0, 24)

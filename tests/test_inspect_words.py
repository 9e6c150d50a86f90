"""Reading learned vectors: nearest words, random vectors beside them, and the way of the class vectors."""

import pytest
import torch
import torch.nn.functional as F
from clips import clip
from hypothesis import given
from hypothesis import strategies as st

from vlprompt import methods
from vlprompt.inspect import class_path, known_ids, nearest_words, random_like, to_plane

NAMES = ["cat", "dog", "forest path"]


@pytest.fixture
def backbone():
    """A CLIP that has met three words and a piece of one, with long and short vectors; all other rows are zero."""
    small = clip(name="four words")
    table = small.text.token_embedding.weight
    before = table.clone()
    table.zero_()
    for word, row in {"cat": [3, 0], "dog": [1, 0.1], "red": [0, 2], "dexx": [-1, -1]}.items():
        ids = small.token_ids(word)
        table[ids[0], :2] = torch.tensor(row, dtype=torch.float32)
    table[[small.tokenizer.sot_token_id, small.tokenizer.eot_token_id], 0] = 5.0
    yield small
    table.copy_(before)


def vector(backbone, *values):
    return F.pad(torch.tensor([values], dtype=torch.float32), (0, backbone.text_width - len(values)))


def test_by_cosine_the_length_does_not_count(backbone):
    near = nearest_words(backbone, vector(backbone, 0.9, 0.02), top=2)[0]
    assert [word for word, _ in near] == ["cat", "dog"]
    assert near[0][1] == pytest.approx(0.9 / (0.9**2 + 0.02**2) ** 0.5, abs=1e-5)


def test_by_distance_it_does(backbone):
    near = nearest_words(backbone, vector(backbone, 0.9, 0.02), by="distance", top=2)[0]
    assert [word for word, _ in near] == ["dog", "cat"]
    assert near[0][1] == pytest.approx((0.1**2 + 0.08**2) ** 0.5, abs=1e-4)


def test_a_word_is_nearest_to_itself_by_both(backbone):
    ids = known_ids(backbone)
    own = backbone.text.token_embedding.weight[ids]
    for by, best in (("cosine", 1.0), ("distance", 0.0)):
        found = nearest_words(backbone, own, by=by, top=1)
        assert {word for [(word, _)] in found} == {"cat", "dog", "red", "de-"}
        assert [value for [(_, value)] in found] == pytest.approx([best] * 4, abs=1e-3)


def test_tokens_never_met_and_the_marks_of_a_sentence_are_no_words(backbone):
    assert len(known_ids(backbone)) == 4
    words = {word for word, _ in nearest_words(backbone, vector(backbone, 5, 0), top=4)[0]}
    assert words == {"cat", "dog", "red", "de-"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "angle"}, "by 'cosine' or by 'distance'"),
        ({"top": 0}, "knows 4 words: give 1 to 4"),
        ({"top": 5}, "knows 4 words: give 1 to 4"),
        ({"vectors": torch.zeros(32)}, r"but \(M, 32\) is wanted"),
        ({"vectors": torch.zeros(2, 31)}, r"but \(M, 32\) is wanted"),
    ],
)
def test_what_cannot_be_read(backbone, change, message):
    with pytest.raises(ValueError, match=message):
        nearest_words(backbone, **({"vectors": torch.zeros(1, 32)} | change))


@given(st.integers(0, 2**31), st.lists(st.floats(0.01, 100), min_size=1, max_size=5))
def test_random_vectors_are_as_long_as_those_they_stand_beside(seed, lengths):
    vectors = F.normalize(torch.ones(len(lengths), 8), dim=-1) * torch.tensor(lengths)[:, None]
    drawn = random_like(vectors, seed)
    assert torch.allclose(drawn.norm(dim=-1), vectors.norm(dim=-1), rtol=1e-4)
    assert torch.equal(drawn, random_like(vectors, seed))
    assert not torch.equal(drawn, random_like(vectors, seed + 1))


def test_the_path_is_that_of_the_states_and_the_method_stays():
    backbone = clip()
    method = methods.CoOp(backbone, NAMES, length=2, seed=0)
    kept = method.context.detach().clone()
    states = [{"context": kept + step} for step in (0.0, 0.5, 1.0)]
    path = class_path(method, states)
    assert path.shape == (3, 3, backbone.embed_dim)
    assert torch.equal(method.context, kept)
    images = F.normalize(torch.randn(4, backbone.embed_dim, generator=torch.Generator().manual_seed(1)), dim=-1)
    for state, places in zip(states, path, strict=True):
        method.load_state_dict(state)
        logits = method.classifier()(images)
        assert torch.allclose(backbone.logit_scale * images @ places.T, logits, atol=1e-4)


def test_classes_that_stand_still():
    backbone = clip()
    for method in (
        methods.ZeroShot(backbone, NAMES),
        methods.IndependentVL(backbone, NAMES, vision_depth=1, text_depth=0),
    ):
        with pytest.raises(ValueError, match="stand still"):
            class_path(method, [method.state_dict()])
    with pytest.raises(ValueError, match="no states"):
        class_path(methods.CoOp(backbone, NAMES), [])


def test_points_of_a_plane_keep_their_distances():
    draw = torch.Generator().manual_seed(2)
    flat = torch.randn(3, 4, 2, generator=draw, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(6, 2, generator=draw, dtype=torch.float64)).Q.T
    found, share = to_plane(flat @ axes + 7)
    assert found.shape == (3, 4, 2)
    assert share == pytest.approx(1)
    rows, again = flat.flatten(0, 1), found.flatten(0, 1)
    assert torch.allclose(torch.cdist(rows, rows), torch.cdist(again, again), atol=1e-8)


def test_of_a_ball_two_axes_show_a_part_and_two_points_none():
    points = torch.cat([torch.eye(6), -torch.eye(6)])
    assert to_plane(points)[1] == pytest.approx(1 / 3, abs=1e-6)
    with pytest.raises(ValueError, match="make no plane"):
        to_plane(points[:2])

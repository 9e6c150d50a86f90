"""What the lessons look at inside the image tower is what the tower computes."""

import dataclasses

import numpy as np
import pytest
import torch
from clips import clip, images
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import Compose, Normalize

from vlprompt import engine, inspect
from vlprompt.engine import Prompts
from vlprompt.methods import VPT, Padding

NAMES = ["cat", "dog"]
PATCHES = 9  # of 24 by 24 pixels in squares of 8
STD = (0.5, 0.25, 0.2)


def prompts(depth=2, length=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return Prompts(vision=tuple(torch.randn(length, 32, generator=draw) for _ in range(depth)))


@pytest.fixture
def normalising():
    """A small CLIP whose preprocessing is known."""
    return dataclasses.replace(clip(), preprocess=Compose([Normalize((0.4, 0.5, 0.6), STD)]))


# ---- attention ----------------------------------------------------------------------------------


@pytest.mark.parametrize("added", [None, prompts(1), prompts(2), Prompts(pixels=torch.ones(3, 24, 24))])
def test_the_states_end_in_the_engines_features(added):
    tower = clip().visual
    states = inspect.token_states(clip(), images(clip()), added)
    features = tower.ln_post(states[-1][:, 0]) @ tower.proj
    torch.testing.assert_close(features, engine.encode_image(clip(), images(clip()), added))
    length = len(added.vision[0]) if added and added.vision else 0
    assert [s.shape for s in states] == [(2, 1 + PATCHES + length, 32)] * 3


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_attention_is_what_torchs_own_module_gives(depth):
    """nn.MultiheadAttention, asked for its weights, on what goes into each layer."""
    added = prompts(depth)
    found = inspect.class_attention(clip(), images(clip()), added)  # (L, B, heads, T)
    states = inspect.token_states(clip(), images(clip()), added)
    for block, x, ours in zip(clip().visual.transformer.resblocks, states, found, strict=False):
        normed = block.ln_1(x)
        _, weights = block.attn(normed, normed, normed, need_weights=True, average_attn_weights=False)
        torch.testing.assert_close(ours, weights[:, :, 0])
    assert found.shape == (2, 2, 2, 1 + PATCHES + 3 * (depth > 0))


def test_attention_by_hand_on_one_image():
    """One head, written out number by number in float64."""
    tower = clip().visual
    added = prompts(2)
    picture = images(clip(), 1)
    block = tower.transformer.resblocks[1]
    x = inspect.token_states(clip(), picture, added)[1][0].double()  # (T, d), prompts of layer 2 at its end
    torch.testing.assert_close(x[-3:].float(), added.vision[1])
    x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    x = x * block.ln_1.weight.double() + block.ln_1.bias.double()
    weight, bias = block.attn.in_proj_weight.double(), block.attn.in_proj_bias.double()
    head = slice(16, 32)  # the second of two heads of 16
    query = weight[:32][head] @ x[0] + bias[:32][head]
    scores = [float(query @ (weight[32:64][head] @ token + bias[32:64][head])) / 4 for token in x]
    exponents = np.exp(scores)
    found = inspect.class_attention(clip(), picture, added)[1, 0, 1]
    np.testing.assert_allclose(found.numpy(), exponents / exponents.sum(), rtol=1e-4)


@given(depth=st.integers(0, 2), length=st.integers(1, 5), seed=st.integers(0, 99))
def test_attention_adds_up_to_one_and_so_do_its_shares(depth, length, seed):
    found = inspect.class_attention(clip(), images(clip(), 1, seed), prompts(depth, length, seed))
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:-1]))
    shares = inspect.attention_shares(found, PATCHES)
    assert list(shares) == ["itself", "patches", "prompts"]
    torch.testing.assert_close(sum(shares.values()), torch.ones(2))
    assert bool((shares["prompts"] > 0).all()) == (depth > 0)


def test_a_prompt_that_nobody_asks_for_gets_no_attention_and_changes_nothing_else():
    """Keys far away from every query: the class token's look at the patches is as without prompts."""
    without = inspect.class_attention(clip(), images(clip()))
    method = VPT(clip(), NAMES, depth=1, length=2)
    found = inspect.class_attention(clip(), images(clip()), method.prompts())
    assert found.shape[-1] == without.shape[-1] + 2
    ratio = found[0, ..., : 1 + PATCHES] / without[0]  # in the first layer the rest is only scaled down
    torch.testing.assert_close(ratio, (1 - found[0, ..., 1 + PATCHES :].sum(-1, keepdim=True)).expand_as(ratio))


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(ValueError, match=r"given the shape \(1, 3, 8, 8\)"):
        inspect.class_attention(clip(), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="a depth of 3 in the image tower of small, which has 2 layers"):
        inspect.class_attention(clip(), images(clip()), prompts(3))
    resnet = clip(vision=((1, 1, 1, 1), 16), size=32)
    with pytest.raises(ValueError, match="takes no tokens"):
        inspect.class_attention(resnet, images(resnet))
    attention = inspect.class_attention(clip(), images(clip()))
    with pytest.raises(ValueError, match="10 patches, but the attention goes to 10 tokens"):
        inspect.attention_shares(attention, 10)


def test_the_figures_of_attention_return_what_they_draw():
    attention = inspect.class_attention(clip(), images(clip()), prompts(2))
    shares = inspect.attention_shares(attention, PATCHES)
    figure, data = inspect.plot_attention_shares(shares, "to whom")
    heights = np.array([[bar.get_height() for bar in bars] for bars in figure.axes[0].containers])
    np.testing.assert_allclose(heights, list(data.values()))
    np.testing.assert_allclose(heights.sum(0), 100, rtol=1e-5)
    scenes = torch.full((2, 3, 24, 24), 200, dtype=torch.uint8)
    figure, maps = inspect.plot_attention_maps(scenes, attention, PATCHES, [2, 1])
    mean = attention.mean(2)[:, :, 1 : 1 + PATCHES]  # (L, B, N)
    np.testing.assert_allclose(maps[:, 0].reshape(2, 9), mean[1], rtol=1e-6)
    np.testing.assert_allclose(maps[:, 1].reshape(2, 9), mean[0], rtol=1e-6)
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    assert len(drawn) == 6
    np.testing.assert_allclose(np.asarray(drawn[0]), 200 / 255)
    brightest = np.unravel_index(maps[0, 0].argmax(), (3, 3))
    square = np.asarray(drawn[1]).reshape(3, 8, 3, 8, 3)[brightest[0], :, brightest[1]]
    np.testing.assert_allclose(square, 200 / 255)  # where it looks most, the picture is as it was


# ---- pixels -------------------------------------------------------------------------------------


def test_a_prompt_in_levels_is_what_the_network_sees_added(normalising):
    """Adding the levels before the normalisation is adding the prompt after it."""
    draw = torch.Generator().manual_seed(0)
    scenes = torch.randint(0, 256, (2, 3, 24, 24), generator=draw, dtype=torch.uint8)
    pixels = torch.randn(3, 24, 24, generator=draw)
    levels, _ = inspect.prompted(normalising, scenes, pixels)
    normalise = normalising.preprocess.transforms[0]
    torch.testing.assert_close(normalise(levels / 255), normalise(scenes.float() / 255) + pixels)


def test_levels_are_a_scale_of_each_colour(normalising):
    ones = inspect.in_levels(normalising, torch.ones(3, 2, 2))
    torch.testing.assert_close(ones[:, 0, 0], 255 * torch.tensor(STD))
    assert inspect.in_levels(normalising, torch.zeros(3, 2, 2)).abs().max() == 0  # no mean is added


def test_the_cut_to_a_screen(normalising):
    scenes = torch.tensor([[250, 100], [3, 0]], dtype=torch.uint8).expand(1, 3, 2, 2)
    pixels = torch.tensor([[1.0, 1.0], [-1.0, 0.0]]).expand(3, 2, 2)
    levels, shown = inspect.prompted(normalising, scenes, pixels)
    assert levels[0, 0].tolist() == [[377.5, 227.5], [-124.5, 0.0]]
    assert shown[0, 0].tolist() == [[255, 228], [0, 0]]
    assert inspect.beyond_the_screen(levels) == 50.0
    assert inspect.beyond_the_screen(shown) == 0.0


def test_a_frame_is_drawn_where_it_is(normalising):
    method = Padding(normalising, NAMES, width=4)
    scene = torch.full((3, 24, 24), 120, dtype=torch.uint8)
    figure, data = inspect.plot_frame(normalising, scene, method.prompts().pixels)
    inside = (slice(4, 20), slice(4, 20))
    assert (data["scene"] == 120).all()
    assert (data["together"][inside] == 120).all()
    assert (data["prompt"][inside] == 128).all()
    outside = np.ones((24, 24), bool)
    outside[inside] = False
    assert (data["together"] != 120).any(axis=2)[outside].all()
    drawn = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert all((ours == theirs).all() for ours, theirs in zip(drawn, data.values(), strict=True))


def test_pictures_and_prompts_that_do_not_fit_are_refused(normalising):
    pixels = torch.zeros(3, 24, 24)
    with pytest.raises(ValueError, match=r"uint8 \(N, 3, 24, 24\) is wanted"):
        inspect.prompted(normalising, torch.zeros(1, 3, 24, 24), pixels)
    with pytest.raises(ValueError, match=r"uint8 \(N, 3, 24, 24\) is wanted"):
        inspect.prompted(normalising, torch.zeros(1, 3, 8, 8, dtype=torch.uint8), pixels)
    with pytest.raises(ValueError, match="small does not normalise"):
        inspect.in_levels(clip(), pixels)

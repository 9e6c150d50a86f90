"""The map of the methods: its numbers are what the code counts, its picture is what the methods are."""

import re
from pathlib import Path

import make_methods
import numpy as np
import pytest
from clips import clip
from map_drawing import draw_map
from PIL import Image

import vlprompt
from vlprompt.methods import METHODS, count
from vlprompt.plots import save

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "methods.md").read_text(encoding="utf-8")
FULL = 86_192_640  # the image tower of ViT-B/16, as lesson 00 has it


@pytest.fixture(scope="module")
def tiny():
    return vlprompt.load("tiny", device="cpu")


def rows(number: str) -> list[list[str]]:
    """The cells of a table of the page, without its head."""
    body = PAGE.split(make_methods.BEGIN.format(number))[1].split(make_methods.END.format(number))[0]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in body.strip().splitlines()[2:]]


def number(cell: str) -> int:
    return int(cell.removesuffix(" a class").replace(",", ""))


def test_every_method_of_the_library_is_on_the_map():
    made = {e.make for e in make_methods.ENTRIES}
    assert made >= {make for name, make in METHODS.items() if name != "vision-only"}, "vision-only is VPT-deep's place"
    assert [row[0] for row in rows("1")] == [row[0] for row in rows("2")] == [e.name for e in make_methods.ENTRIES]


@pytest.mark.parametrize("entry", make_methods.ENTRIES, ids=lambda entry: entry.name)
def test_a_formula_counts_what_the_method_learns(entry, tiny):
    for backbone in (tiny, clip(vision=(12, 48), text=(12, 32), context=32, size=32)):
        for names in (["cat", "dog"], make_methods.NAMES):
            learned = count(entry.make(backbone, names, **entry.options))
            assert make_methods.numbers(entry, backbone, len(names)) == learned


def test_the_page_has_the_numbers_of_the_small_clip_and_of_vit_b_16(tiny):
    large = {"d_t": 512, "d_v": 768, "E": 512, "h": 32, "H": 224, "p": 30, "C": 1, "V": FULL}
    for entry, row in zip(make_methods.ENTRIES, rows("2"), strict=True):
        assert row[1] == f"`{entry.formula}`"
        assert number(row[3]) == make_methods.numbers(entry, tiny)
        text = entry.formula.replace("·", "*").replace("²", "**2")
        assert number(row[2]) == eval(text, {}, large | entry.values)
        assert row[2].endswith("a class") == row[3].endswith("a class") == ("C" in entry.formula)


def test_the_page_says_what_can_be_kept_and_asked(tiny):
    for entry, row in zip(make_methods.ENTRIES, rows("2"), strict=True):
        method = entry.make(tiny, make_methods.NAMES, **entry.options)
        assert row[5] == ("yes" if method.keeps_image_features else "no")
        assert row[6] == ("yes" if make_methods.takes_new_names(method) else "no")


@pytest.mark.slow
def test_the_steps_of_the_page_cost_what_is_counted(tiny):
    for entry, row in zip(make_methods.ENTRIES, rows("2"), strict=True):
        assert float(row[7]) == pytest.approx(make_methods.step_flops(entry, tiny) / 1e9, rel=0.02, abs=0.006)


def test_the_links_of_the_page_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not link.startswith("https://") and not (DOCS / link).exists()] == []


def test_the_picture_shows_what_the_methods_add(tiny):
    entries = [(e.name, e.make(tiny, make_methods.NAMES, **e.options), e.formula) for e in make_methods.ENTRIES]
    _, shown = draw_map(entries)
    assert set(shown) == {e.name for e in make_methods.ENTRIES}
    assert shown["MaPLe"] | {"maps": 9, "vision layers": 9, "text layers": 9} == shown["MaPLe"]
    assert shown["MaPLe†"]["maps"] == 1
    assert shown["VPT-shallow"]["vision layers"] == 1
    assert [name for name, what in shown.items() if what["pixels"]] == ["padding", "fixed patch", "random patch"]
    assert [name for name, what in shown.items() if what["head"]] == ["linear probe"]
    assert [name for name, what in shown.items() if what["tower"]] == ["full fine-tuning"]
    assert [name for name, what in shown.items() if what["Meta-Net"]] == ["CoCoOp"]
    assert [name for name, what in shown.items() if what["a context for each class"]] == ["CoOp, class-specific"]
    assert not any(shown["zero-shot CLIP"].values())


def test_the_stored_picture_is_the_one_that_is_drawn(tiny, tmp_path):
    """Small and grey, so that a letter that another version of matplotlib sets otherwise does not count."""
    entries = [(e.name, e.make(tiny, make_methods.NAMES, **e.options), e.formula) for e in make_methods.ENTRIES]
    save(draw_map(entries)[0], tmp_path / "methods.png")
    pictures = [Image.open(folder / "methods.png").convert("L") for folder in (tmp_path, DOCS)]
    assert pictures[0].size == pictures[1].size
    small = [np.asarray(picture.resize((80, 60)), dtype=float) for picture in pictures]
    assert np.abs(small[0] - small[1]).mean() < 3


def test_tables_are_put_in_their_places():
    begin, end = (mark.format("1") for mark in (make_methods.BEGIN, make_methods.END))
    page = f"before\n{begin}\nold\n{end}\nafter"
    once = make_methods.put_tables(page, {"1": ["| a |"]})
    assert once == f"before\n{begin}\n| a |\n{end}\nafter"
    assert make_methods.put_tables(once, {"1": ["| a |"]}) == once
    with pytest.raises(ValueError, match="the page has no place for table 2"):
        make_methods.put_tables(page, {"2": []})

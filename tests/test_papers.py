"""The papers' numbers agree with each other, as far as arithmetic can tell."""

from statistics import fmean

import pytest

from vlprompt import papers
from vlprompt.evaluate import harmonic_mean
from vlprompt.methods import METHODS
from vlprompt.papers import Number, legend, published, tables
from vlprompt.tasks import dataset_names

DATASETS = [name for name in tables() if name.startswith("datasets-")]
PRINTED_WRONG = {("base-to-new-others", "ProDA")}  # the note of the table says so


@pytest.mark.parametrize("name", [name for name, table in tables().items() if table.columns == ("base", "new", "H")])
def test_every_h_is_that_of_base_and_new(name):
    for row, (base, new, h) in published(name).rows.items():
        if (name, row) not in PRINTED_WRONG:
            assert harmonic_mean(base, new) == pytest.approx(h, abs=0.0101), row


def test_the_one_h_that_is_not_is_noted():
    base, new, h = published("base-to-new-others").rows["ProDA"]
    assert harmonic_mean(base, new) == pytest.approx(78.59, abs=0.005)
    assert abs(harmonic_mean(base, new) - h) > 1
    assert "78.59" in published("base-to-new-others").note


@pytest.mark.parametrize("name", DATASETS)
def test_the_averages_are_means_over_eleven_datasets(name):
    table = published(name)
    assert sorted(table.rows) == sorted(dataset_names()[:11])
    for column in ("base", "new"):
        mean = fmean(table.number(row, column).value for row in table.rows)
        average = published("base-to-new").number(name.removeprefix("datasets-"), column)
        assert mean == pytest.approx(average.value, abs=0.0051)


def test_the_means_of_the_transfers_are_means_of_their_columns():
    for name, source in (("cross-dataset", "imagenet"), ("domain", "source")):
        table = published(name)
        for row in table.rows:
            others = [table.number(row, c).value for c in table.columns if c not in (source, "mean")]
            assert fmean(others) == pytest.approx(table.number(row, "mean").value, abs=0.0101)
    for method in ("coop", "cocoop", "maple"):
        assert published("cross-dataset").number(method, "imagenet") == published("domain").number(method, "source")
    assert set(published("cross-dataset").columns) - {"mean"} == set(dataset_names()[:11])
    assert set(published("domain").columns) - {"source", "mean"} == set(dataset_names()[11:])


def test_the_complexity_fits_our_own_counts_and_the_averages():
    table = published("complexity")
    ours = {"coop": 2048, "cocoop": 35_360, "maple": 3_555_072}  # of ViT-B/16, tested against the models elsewhere
    for method, count in ours.items():
        printed = table.number(method, "parameters").value
        assert printed == pytest.approx(count, rel=0.005)
        # CLIP without the table of its tokens, which the paper's wrapper does not hold
        assert table.number(method, "share").value == pytest.approx(100 * count / 124_323_841, rel=0.25, abs=0.001)
    for method in ("coop", "cocoop", "independent-vl", "maple"):
        assert table.number(method, "H").value == published("base-to-new").number(method, "H").value


def test_visual_prompting_gains_about_24_points():
    table = published("pixels")
    assert table.number("padding", "mean").value - table.number("zero-shot", "mean").value == pytest.approx(24, abs=0.5)


@pytest.mark.parametrize("name", ["base-to-new", "cross-dataset", "domain", "complexity", "vpt", "pixels"])
def test_the_rows_that_stand_beside_ours_are_methods_here(name):
    assert set(published(name).rows) <= set(METHODS)


def test_every_table_says_where_it_comes_from():
    for name, table in tables().items():
        assert table.source, name
        assert table.setting, name
        assert table.mark in papers.MARKS


def test_a_number_has_the_mark_of_its_row():
    assert str(published("base-to-new").number("coop", "new")) == "63.22 v"
    assert published("datasets-cocoop").number("eurosat", "new") == Number(60.04, "found")
    assert published("datasets-cocoop").number("imagenet", "new") == Number(70.43, "consistent")
    assert str(published("complexity").number("maple", "parameters")) == "3,550,000.00 m"


def test_the_legend_explains_the_marks_that_are_there():
    said = legend([Number(1, "memory"), Number(2, "verified"), Number(3, "memory")])
    assert said == "v: seen in the authors' repository; m: from memory alone"
    assert legend([]) == ""


def test_what_is_not_printed_is_none_and_what_is_unknown_is_named():
    assert published("base-to-new").number("linear-probe", "base") is None
    with pytest.raises(ValueError, match="nearest: base-to-new"):
        published("base-to-novel")
    with pytest.raises(ValueError, match="no column of MaPLe"):
        published("base-to-new").number("coop", "novel")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mark": "sure"}, "no mark .* 'sure'"),
        ({"rows": {"coop": [1.0]}}, "coop: 1 numbers for 2 columns"),
        ({"found": ["cocoop"]}, "not all rows"),
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(change, says):
    entry = {"source": "a", "setting": "b", "mark": "memory", "columns": ["base", "new"], "rows": {"coop": [1, 2]}}
    assert papers.read("x", entry).rows == {"coop": (1.0, 2.0)}
    with pytest.raises(ValueError, match=says):
        papers.read("x", entry | change)

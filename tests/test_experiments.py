"""The experiments: their points, and the tables and pictures of rows that are known."""

import pandas as pd
import pytest
import torch
from tidy import frame, row, rows
from typer.testing import CliRunner

from vlprompt import experiments, points, sweep
from vlprompt.cli import app
from vlprompt.experiments import EXPERIMENTS, common, maple_ablations, pixels, report, vpt
from vlprompt.flops import image_needed, text_needed
from vlprompt.methods import METHODS
from vlprompt.methods.pixel import TEMPLATE
from vlprompt.papers import Number
from vlprompt.plots import MARKS, style
from vlprompt.points import Point, open_backbone, open_task
from vlprompt.statistics import ALL, Interval
from vlprompt.store import Store, as_frame, read_table, write_table
from vlprompt.tables import make, markdown, words
from vlprompt.tasks import task_names


def vlprompt(*args):
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(a) for a in args])


def steady(point: Point, split: str) -> float:
    """An accuracy that depends on the method, the split and the seed alone: zero-shot is the same for all seeds."""
    names = list(METHODS)
    learned = point.method != "zero-shot"
    return 40.0 + names.index(point.method) + 10 * (split in ("base", "source")) + learned * (point.seed % 3)


@pytest.fixture(params=list(EXPERIMENTS))
def experiment(request):
    return EXPERIMENTS[request.param]


# Points


def test_the_points_of_an_experiment_are_each_there_once_and_can_be_run(experiment):
    made = experiment.points()
    assert len({point.key for point in made}) == len(made)
    for point in {(p.method, p.depth, p.length, p.options, p.protocol): p for p in made}.values():
        point.check()
    assert {p.task for p in made} <= set(task_names())


def test_seeds_come_last_so_that_a_stopped_sweep_has_whole_tasks(experiment):
    made = experiment.points(seeds=[4, 7])
    assert [p.seed for p in made] == [4] * (len(made) // 2) + [7] * (len(made) // 2)
    assert [p.as_dict() | {"seed": 0} for p in made[: len(made) // 2]] == [
        p.as_dict() | {"seed": 0} for p in made[len(made) // 2 :]
    ]


def test_what_holds_for_every_point_is_in_every_point(experiment):
    for point in experiment.points(["plants", "flags"], [1], changes=(("epochs", 2),), pretrained="random"):
        assert dict(point.changes) == {"epochs": 2}
        assert point.pretrained == "random"
        assert point.task in ("plants", "flags")


def test_the_comparison_from_base_to_new_has_every_method_on_eleven_tasks():
    made = experiments.base_to_new.points(seeds=range(1, 6))
    assert len(made) == 9 * 11 * 5
    assert {p.protocol for p in made} == {"base-to-new"}
    assert {p.depth for p in made} == {None}  # the methods' own


def test_the_transfer_is_trained_on_the_first_task_and_tested_on_the_others():
    made = experiments.cross_dataset.points(["flags", "plants", "faces"], [1])
    assert {(p.task, p.targets) for p in made} == {("flags", ("plants", "faces"))}
    ((task, targets),) = {(p.task, p.targets) for p in experiments.cross_dataset.points(seeds=[1])}
    assert task == common.SOURCE
    assert {task, *targets} == set(common.things())


def test_zero_shot_runs_with_the_fewest_shots_alone():
    made = experiments.few_shot.points(["plants"], [1], shots=[4, 1])
    assert sorted((p.method, p.shots) for p in made if p.method in ("zero-shot", "maple")) == [
        ("maple", 1), ("maple", 4), ("zero-shot", 1),
    ]  # fmt: skip


def test_the_context_of_few_shots_has_sixteen_random_vectors_as_in_the_paper_of_coop():
    made = experiments.few_shot.points(["plants"], [1], ["coop"], shots=[1])
    assert [dict(p.options) for p in made] == [{}, {"class_specific": True}]
    assert all(p.length == 16 and p.method_options["init"] is None for p in made)


def test_every_method_of_vpts_table_has_a_linear_head():
    backbone = open_backbone("tiny", None, "cpu")
    for point in vpt.points(["how-large"], [1]):
        method = METHODS[point.method](backbone, open_task(point.task).classnames, **point.method_options)
        assert method.head.out_features == 5


def test_sizes_of_pixel_prompts_are_shares_of_the_image():
    def sizes(**backbone):
        made = pixels.points(["plants"], [1], ["padding"], **backbone)
        return [dict(p.options)["width"] for p in made]

    assert 6 in sizes()  # 30 of 224 pixels, on 48
    assert 30 in sizes(backbone="ViT-B-32")
    assert pixels.image_size("ViT-L-14-336") == 336
    (zero_shot,) = (p for p in pixels.points(["plants"], [1]) if p.method == "zero-shot")
    assert dict(zero_shot.options) == {"templates": TEMPLATE}  # the sentence of the pixel prompts


def test_the_ablations_are_points_of_depth_by_length_but_for_the_shared_coupling():
    others = set(maple_ablations.points()) - set(experiments.depth_length.points())
    assert {p.method for p in others} == {"maple-shared"}


def test_depth_by_length_is_a_surface_and_six_axes():
    made = experiments.depth_length.points(["plants"], [1])
    count = {m: sum(p.method == m for p in made) for m in ("maple", "vision-only", "language-only", "independent-vl")}
    assert count == {"maple": 60, "vision-only": 16, "language-only": 16, "independent-vl": 16}


def test_a_larger_clip_has_the_papers_datasets_by_default():
    made = experiments.base_to_new.points(seeds=[1], backbone="ViT-B-16", pretrained="openai")
    assert [p.task for p in made if p.method == "coop"] == common.datasets()
    assert len(common.datasets()) == 11
    assert {p.task for p in experiments.domain.points(backbone="ViT-B-16")} == {"imagenet"}
    assert made[0].pretrained == "openai"


@pytest.mark.parametrize(
    ("make_points", "says"),
    [
        (lambda: experiments.cross_dataset.points(["plants"]), "plants is alone"),
        (lambda: experiments.domain.points(methods=["linear-probe"]), "linear-probe learns weights for each class"),
        (lambda: experiments.depth_length.points(methods=["coop"]), "not about 'coop'"),
        (lambda: vpt.points(methods=["maple"]), "full-fine-tuning, linear-probe, vpt-shallow, vpt-deep, and not"),
        (lambda: experiments.base_to_new.points([]), "no tasks"),
        (lambda: experiments.base_to_new.points(seeds=[]), "no seeds"),
        (lambda: experiments.few_shot.points(shots=[]), "no shots"),
        (lambda: pixels.points(backbone="ViT-B-61"), "no model named 'ViT-B-61'"),
    ],
)
def test_a_slip_is_one_sentence(make_points, says):
    with pytest.raises(ValueError, match=says):
        make_points()


# Tables and pictures


def test_every_experiment_makes_its_tables_and_pictures_of_its_own_rows(experiment, monkeypatch):
    monkeypatch.setattr(maple_ablations, "flops", quick_flops)
    made = experiment.points(seeds=[1, 2])
    found = rows(made, steady)
    tables = experiment.tables(found)
    for table in tables:
        assert len(table.cells)
        assert markdown(table).count("\n|") == len(table.cells) + 2  # the heading, and the line below it
    assert any("Paper: " in note for table in tables for note in table.notes)
    assert any("2 seeds" in note and "weights 01234567" in note for table in tables for note in table.notes)
    for drawn, data in getattr(experiment, "pictures", lambda rows: {})(found).values():
        (axes, *_) = drawn.axes
        assert axes.get_title(loc="left")
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert data


def test_every_method_has_a_mark_of_its_own():
    assert set(MARKS) == set(METHODS)
    assert len({mark for _, mark in MARKS.values()}) == len(METHODS)
    assert style("coop, class-specific")["marker"] == style("coop")["marker"]
    assert style("coop, class-specific")["markerfacecolor"] != style("coop")["markerfacecolor"]


def test_rows_of_another_experiment_are_refused(experiment):
    protocol = "few-shot" if experiment.points()[0].protocol != "few-shot" else "domain"
    other = rows([Point("coop", "plants", protocol)], steady)
    with pytest.raises(ValueError, match="none of the"):
        experiment.tables(other)


def test_the_table_from_base_to_new_by_hand():
    def rule(point, split):
        if point.method == "zero-shot":
            return {"base": 60.0, "new": 40.0}[split]
        return {"plants": 70.0, "flags": 90.0}[point.task] + point.seed if split == "base" else 30.0

    made = experiments.base_to_new.points(["plants", "flags"], [1, 3], ["coop", "linear-probe", "zero-shot"])
    first, second, third = experiments.base_to_new.tables(rows(made, rule))
    cells = first.cells
    assert list(cells.index) == ["zero-shot", "linear-probe", "coop"]  # in the papers' order
    assert cells.loc["zero-shot", "H"] == Interval(48, 48, 48)
    assert cells.loc["coop", "base"] == Interval(82, 81, 83)
    assert cells.loc["coop", "H"].mean == pytest.approx(2 * 82 * 30 / 112)
    assert cells.loc["linear-probe", "new"] is None
    assert cells.loc["linear-probe", "H"] is None
    assert cells.loc["coop", "paper: new"] == Number(63.22, "verified")
    assert cells.loc["linear-probe", "paper: H"] is None
    assert list(second.cells.index) == ["coop – zero-shot"]
    difference = second.cells.loc["coop – zero-shot", "base"]
    assert words(difference) == "+22.0 [+21.0, +23.0]"
    assert second.cells.loc["coop – zero-shot", "p (H)"] == "0.500"  # two tasks: one way in four, and its mirror
    assert list(third.cells.loc["flags"]) == ["60.0 / 40.0", "92.0 / –", "92.0 / 30.0"]


def test_the_papers_numbers_stand_beside_ours_on_their_datasets():
    made = experiments.base_to_new.points(["dtd", "OxfordPets", "plants"], [1], ["zero-shot", "cocoop"])
    *_, third = experiments.base_to_new.tables(rows(made, lambda point, split: 50.0))
    assert third.cells.loc["dtd", "paper: cocoop"] == "77.01 / 56.00 f"
    assert third.cells.loc["OxfordPets", "paper: zero-shot"] == "91.17 / 97.26 c"
    assert third.cells.loc["plants", "paper: cocoop"] is None


def test_a_method_that_lacks_tasks_is_named():
    made = experiments.base_to_new.points(["plants", "flags"], [1], ["zero-shot", "coop"])
    table, *_ = experiments.base_to_new.tables(rows(made[:-1], steady))
    assert "coop lacks flags: its means are over fewer tasks than others'." in table.notes


def test_a_domain_that_a_task_lacks_is_averaged_over_the_others():
    def rule(point, split):
        high = 10.0 if split == "fluent-emoji-high-contrast" else 50.0
        return high + 20 * (point.task == "flags")

    made = experiments.domain.points(["plants", "flags"], [1], ["zero-shot"])
    (table,) = experiments.domain.tables(rows(made, rule))
    cells = table.cells.loc["zero-shot"]
    assert cells["source"].mean == 60
    assert cells["fluent-emoji-high-contrast"].mean == 10  # of the plants alone
    assert cells["mean of domains"].mean == pytest.approx((60 + 60 + 10) / 3)


def test_zero_shot_stands_in_every_column_of_shots():
    made = experiments.few_shot.points(["plants"], [1], shots=[1, 16])
    (table,) = experiments.few_shot.tables(rows(made, lambda point, split: 50.0 + point.shots))
    assert [cell.mean for cell in table.cells.loc["zero-shot"]] == [51, 51]
    assert [cell.mean for cell in table.cells.loc["coop, class-specific"]] == [51, 66]
    drawn, curves = experiments.few_shot.pictures(rows(made, lambda point, split: 50.0 + point.shots))["few-shot"]
    assert curves["maple"] == {1: Interval(51), 16: Interval(66)}
    assert [line.get_label() for line in drawn.axes[0].get_lines()][-1] == "zero-shot"


def test_the_groups_of_tasks_are_vtabs():
    groups = {"plants": "natural", "textures": "specialised", "where": "structured", "imagenet": "natural"}
    assert {task: vpt.group(task) for task in [*groups, "eurosat"]} == groups | {"eurosat": "specialised"}
    made = vpt.points(["plants", "how-large", "where"], [1])
    values = {"plants": 80.0, "how-large": 30.0, "where": 50.0}
    table, *_ = vpt.tables(rows(made, lambda point, split: values[point.task]))
    cells = table.cells.loc["vpt-deep"]
    assert (cells["natural"].mean, cells["specialised"], cells["structured"].mean) == (80, None, 40)
    assert cells["paper: structured"] == Number(54.98, "memory")


def test_a_text_head_has_no_place_in_vpts_table():
    text = row(Point("vpt-deep", "plants", "few-shot"), "all", 50.0)
    linear = row(Point("vpt-deep", "plants", "few-shot", options=(("head", "linear"),)), "all", 70.0)
    table, *_ = vpt.tables(as_frame([text, linear]))
    assert table.cells.loc["vpt-deep", "natural"].mean == 70


def test_the_papers_number_stands_beside_its_own_size_of_prompt():
    made = pixels.points(["plants"], [1, 2], sizes=[12, 6])
    (table,) = pixels.tables(rows(made, lambda point, split: 50.0 + len(point.method) + point.seed))
    assert list(table.cells.index)[:3] == ["zero-shot", "padding, 6 pixels", "padding, 12 pixels"]
    assert words(table.cells.loc["padding, 6 pixels", "over zero-shot"]) == "-2.0"
    assert table.cells.loc["padding, 6 pixels", "paper: mean of 12"] == Number(78.5, "memory")
    assert table.cells.loc["padding, 12 pixels", "paper: mean of 12"] is None


def test_the_best_cell_of_the_surface_is_in_its_title():
    made = experiments.depth_length.points(["plants"], [1], depths=[1, 9], lengths=[2, 4])
    drawn = experiments.depth_length.pictures(rows(made, lambda p, split: 50.0 + 5 * (p.depth == 9) + (p.length == 4)))
    figure, surface = drawn["surface"]
    assert surface == {(1, 2): 50, (1, 4): 51, (9, 2): 55, (9, 4): 56}
    assert figure.axes[0].get_title(loc="left") == "MaPLe is best at J=9, M=4: 56.0 %"
    assert drawn["depth"][1]["maple"] == {1: Interval(50), 9: Interval(55)}
    assert drawn["length"][1]["maple"] == {2: Interval(55), 4: Interval(56)}


def quick_flops(*place, plain):
    """In place of the count, which runs the towers."""
    return 2_000_000 if plain else 1_000_000


def test_an_ablation_shows_its_lines_with_the_papers_numbers(monkeypatch):
    monkeypatch.setattr(maple_ablations, "flops", quick_flops)
    made = maple_ablations.points(["plants"], [1])
    branches, _, lengths, coupling = maple_ablations.tables(rows(made, steady))
    assert branches.cells.loc["maple, J=1, M=2", "paper: H"] == Number(76.67, "consistent")
    assert branches.cells.loc["maple, J=9, M=2", "paper: H"] == Number(78.55, "verified")
    assert set(branches.cells["MFLOP"]) == {"1 (2)"}
    assert lengths.cells.loc["maple, J=9, M=16", "paper: H"] is None
    assert coupling.cells.loc["maple-shared, J=9, M=2", "paper: H"] == Number(78.11, "memory")
    assert coupling.cells.loc["independent-vl, J=9, M=2", "paper: H"] is None  # the paper's has J=12


def test_flops_are_those_that_cannot_be_spared_and_the_authors_way_spends_more():
    backbone = open_backbone("tiny", None, None)
    method = METHODS["maple"](backbone, open_task("plants").base().classnames, depth=9, length=2)
    needed = text_needed(backbone, method.sentences, depth=9) + image_needed(backbone, 1, depth=9, length=2)
    ours, theirs = (maple_ablations.flops("maple", 9, 2, "tiny", "plants", plain=plain) for plain in (False, True))
    assert needed == pytest.approx(ours, rel=0.1)
    assert theirs > 2 * ours
    assert not torch.is_inference_mode_enabled()


def test_lines_come_in_the_order_that_is_asked_for_then_as_they_are():
    made = [Point(m, "plants", seed=s) for m in ("maple", "coop", "zero-shot") for s in (1, 2)]
    found = report.lines(rows(made, steady), "base-to-new", lambda row: row["method"], ["coop"])
    assert list(found) == ["coop", "maple", "zero-shot"]
    assert set(found["maple"]["method"]) == {"maple"}


def test_comparisons_are_with_the_first_and_with_the_line_before():
    table = {name: frame({t: {1: {"all": 50.0 + i}} for t in "abc"}) for i, name in enumerate("xyz")}
    made = report.comparisons(table, [ALL], "x", "title")
    assert list(made.cells.index) == ["y – x", "z – x", "z – y"]
    assert [words(cell) for cell in made.cells["all"]] == ["+1.0", "+2.0", "+1.0"]
    assert list(made.cells["p, Holm"]) == ["0.750"] * 3  # three times 2 / 2^3
    assert report.comparisons({"x": table["x"]}, [ALL], "x", "title") is None


def test_one_task_alone_has_no_test():
    table = {name: frame({"a": {1: {"all": 50.0 + i}}}) for i, name in enumerate("xy")}
    made = report.comparisons(table, [ALL], "x", "title")
    assert list(made.cells.columns) == ["all"]
    assert "permutation" not in made.notes[0]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "–"), (3555072, "3,555,072"), (71.66, "71.7"), (Interval(60.04, 59.0, 61.26), "60.0 [59.0, 61.3]"),
        (Interval(60.0), "60.0"), (Number(78.5, "memory"), "78.50 m"), ("1–2", "1–2"),
    ],
)  # fmt: skip
def test_a_cell_in_words(cell, said):
    assert words(cell) == said


def test_markdown_has_a_row_a_line():
    table = make("Title", "method", {"coop": {"base": 1.0}, "a|b": {"base": 2.0, "new": 3}}, ["A note."])
    heading = "**Title**\n\n| method | base | new |\n| --- | --: | --: |\n"
    assert markdown(table) == heading + "| coop | 1.0 | – |\n| a\\|b | 2.0 | 3 |\n\nA note.\n"


def test_parameters_that_depend_on_the_task_are_a_range():
    assert report.parameters(pd.DataFrame({"n_params": [1200, 800]})) == "800–1,200"
    assert report.parameters(pd.DataFrame({"n_params": [1200, 1200]})) == 1200


# The command


def test_the_experiments_are_listed_with_the_name_first():
    for words_ in (["experiment"], ["experiment", "vpt", "--list"]):
        listed = vlprompt(*words_).stdout.splitlines()
        assert [line.split()[0] for line in listed] == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bases-to-new"], "no experiment is named 'bases-to-new'; nearest: base-to-new"),
        (["base-to-new", "--seeds", "0"], "from 1 to 100, not 0"),
        (["base-to-new", "--methods", "mapel"], "nearest: maple"),
        (["base-to-new", "--tasks", "plant"], "nearest: plants"),
        (["base-to-new", "--jobs", "0"], "jobs"),
        (["base-to-new", "--tasks", "plants", "--table", "rows.txt"], "a .csv or a .parquet file"),
        (["cross-dataset", "--tasks", "plants"], "plants is alone"),
        (["base-to-new", "--from", "nowhere"], "no file or folder nowhere"),
        (["base-to-new", "--from", "nowhere", "--seeds", "2"], "leave out --seeds"),
    ],
)
def test_a_slip_at_the_command_line_is_one_sentence_before_any_work(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = vlprompt("experiment", *words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr.splitlines()[-1]
    assert not any(tmp_path.iterdir())


def test_stored_rows_are_shown_without_running(tmp_path):
    made = experiments.base_to_new.points(["plants"], [1, 2], ["zero-shot", "coop"])
    write_table(rows(made, steady), tmp_path / "rows.csv")
    done = vlprompt("experiment", "base-to-new", "--from", tmp_path / "rows.csv", "--markdown", "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "| zero-shot | 1,000 | 50.0 | 40.0 |" in done.stdout
    assert (tmp_path / "base-to-new.png").read_bytes().startswith(b"\x89PNG")
    plain = vlprompt("experiment", "base-to-new", "--from", tmp_path / "rows.csv")
    assert "Against zero-shot" in plain.stdout
    wrong = vlprompt("experiment", "domain", "--from", tmp_path / "rows.csv")
    assert wrong.exit_code == 2
    assert "none of the 8 rows" in wrong.stderr


def test_an_experiment_goes_on_where_it_stood_and_names_what_failed(tmp_path, monkeypatch):
    ran = []

    def run(point, device=None):
        ran.append(point)
        if point.method == "coop" and len(ran) < 3:
            raise RuntimeError("too tired")
        weights = sweep.weights("tiny", None)
        return [row(point, split, steady(point, split), weights=weights) for split in ("base", "new")]

    monkeypatch.setattr(points, "run_point", run)
    monkeypatch.setattr("vlprompt.cli.experiments.bring_drawings", lambda tasks: None)
    command = ["experiment", "base-to-new", "--tasks", "plants", "--methods", "zero-shot,coop", "--seeds", 1]
    command += ["--jobs", 1, "--out", tmp_path / "store", "--table", tmp_path / "rows.csv"]
    first = vlprompt(*command)
    assert first.exit_code == 1
    assert "1 of 2 points failed" in first.stderr
    assert "too tired" in first.stderr
    assert "zero-shot" in first.stdout
    second = vlprompt(*command)
    assert second.exit_code == 0, second.stderr
    assert [point.method for point in ran] == ["zero-shot", "coop", "coop"]
    assert len(read_table(tmp_path / "rows.csv")) == 4
    assert len(Store(tmp_path / "store").points()) == 2
    from_folder = vlprompt("experiment", "base-to-new", "--from", tmp_path / "store")
    assert from_folder.stdout == second.stdout


@pytest.mark.slow
def test_a_small_experiment_is_run(tmp_path):
    command = ["experiment", "base-to-new", "--tasks", "plants", "--methods", "zero-shot,coop", "--seeds", 1]
    done = vlprompt(*command, "--jobs", 1, "--out", tmp_path, "--table", tmp_path / "rows.csv")
    assert done.exit_code == 0, done.stderr
    found = read_table(tmp_path / "rows.csv").set_index(["method", "split"])["accuracy"]
    assert len(found) == 4
    assert all(100 / 15 < accuracy < 100 for accuracy in found)  # better than blind guessing
    assert f"{found['coop', 'base']:.1f}" in done.stdout
    assert "63.22 v" in done.stdout

"""Results on disk: whole, told apart, and never trusted when damaged."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlprompt import store as module
from vlprompt.points import COLUMNS, Point
from vlprompt.store import KINDS, DamagedError, Store, as_frame, check_table_path, read_table, write_table
from vlprompt.workers import Failure

POINT = Point("maple", "plants", depth=3, options=(("shared", True),), changes=(("epochs", 2),))


def rows_of(point: Point, weights: str = "aa", accuracy: float = 71.25) -> list[dict]:
    row = dict.fromkeys(COLUMNS) | {"method": point.method, "task": point.task, "protocol": point.protocol}
    row |= {"shots": point.shots, "seed": point.seed, "depth": point.depth, "n_params": 12, "options": "{}"}
    row |= {"recipe": "{}", "train_seconds": 1.5, "eval_seconds": 0.1, "backbone": "tiny", "version": "0.2.0"}
    return [row | {"weights": weights, "split": s, "accuracy": accuracy + i} for i, s in enumerate(("base", "new"))]


ROWS = rows_of(POINT)


def test_a_result_comes_back_as_it_was(tmp_path):
    store = Store(tmp_path / "new" / "folder")
    assert store.rows(POINT) is None
    assert list(store.points()) == []
    store.keep(POINT, ROWS)
    assert Store(str(store.folder)).rows(POINT) == ROWS
    assert store.points() == [POINT]
    assert store.rows(replace(POINT, seed=2)) is None
    assert [p.name for p in (store.folder / "done").iterdir()] == [f"{POINT.key}.json"]


def test_a_failure_is_kept_until_there_is_a_result(tmp_path):
    store, failure = Store(tmp_path), Failure("ValueError: too hot", "line 1\nline 2")
    store.fail(POINT, failure)
    assert store.failures() == {POINT: failure}
    assert store.rows(POINT) is None
    store.keep(POINT, ROWS)
    assert store.failures() == {}


def test_a_result_stays_when_a_later_run_fails(tmp_path):
    store = Store(tmp_path)
    store.keep(POINT, ROWS)
    store.fail(POINT, Failure("OSError: disk"))
    assert store.rows(POINT) == ROWS
    assert list(store.failures()) == [POINT]


def damage(content: bytes, place: int, value: int | None) -> bytes:
    place %= len(content)
    return content[:place] if value is None else content[:place] + bytes([value]) + content[place + 1 :]


@given(place=st.integers(0, 10**6), value=st.none() | st.integers(0, 255))
def test_a_damaged_file_is_never_read_as_something_else(place, value, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.keep(POINT, ROWS)
    path = store.path(POINT)
    path.write_bytes(damage(path.read_bytes(), place, value))
    try:
        read = store.rows(POINT)
    except DamagedError:
        with pytest.raises(DamagedError, match=re.escape(f"{path} is damaged")):
            store.table()
    else:
        assert read == ROWS  # where the change was none, or of a space


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"sha256": 1}', "\x00" * 40])
def test_a_file_of_something_else_is_damaged(text, tmp_path):
    store = Store(tmp_path)
    store.path(POINT).parent.mkdir()
    store.path(POINT).write_text(text)
    with pytest.raises(DamagedError, match=POINT.key):
        store.rows(POINT)


def test_a_file_under_another_points_name_is_damaged(tmp_path):
    store, other = Store(tmp_path), replace(POINT, seed=9)
    store.keep(POINT, ROWS)
    store.path(POINT).rename(store.path(other))
    with pytest.raises(DamagedError, match="another point"):
        store.rows(other)


def test_a_write_that_is_stopped_leaves_what_was_there(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.keep(POINT, ROWS)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_text", stop)
    with pytest.raises(KeyboardInterrupt):
        store.keep(POINT, rows_of(POINT, accuracy=1.0))
    assert store.rows(POINT) == ROWS
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_a_table_has_the_columns_and_types_of_a_row_whatever_it_holds(tmp_path):
    store = Store(tmp_path)
    assert list(store.table().columns) == list(COLUMNS)
    store.keep(POINT, ROWS)
    other = replace(POINT, depth=None, seed=3)
    store.keep(other, rows_of(other, weights="bb"))
    table = store.table()
    assert {c: str(t) for c, t in table.dtypes.items()} == KINDS
    assert {c: str(t) for c, t in as_frame([]).dtypes.items()} == KINDS
    assert table["weights"].tolist() == ["aa", "aa", "bb", "bb"]  # told apart
    assert table["depth"].isna().tolist() == [False, False, True, True]
    assert store.table([other, POINT, other])["seed"].tolist() == [3, 3, 1, 1]  # each once, in this order
    assert store.table([replace(POINT, seed=8)]).empty


def test_the_order_of_a_table_does_not_depend_on_what_finished_first(tmp_path):
    points = [replace(POINT, seed=seed, task=task) for seed in (1, 2, 10) for task in ("plants", "fruit")]
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    for point in points:
        one.keep(point, rows_of(point))
    for point in reversed(points):
        two.keep(point, rows_of(point))
    pd.testing.assert_frame_equal(one.table(), two.table())
    assert one.table()["seed"].tolist() == [1, 1, 2, 2, 10, 10] * 2


rows = st.fixed_dictionaries(
    {"accuracy": st.floats(0, 100), "depth": st.none() | st.integers(1, 12), "split": st.sampled_from(["base", "new"])}
    | {"options": st.sampled_from(["{}", '{"a": "b, c"}', '{"n": 1}'])}
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(max_examples=25)
@given(rows=st.lists(rows, max_size=4))
def test_a_table_comes_back_from_its_file(suffix, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / f"table.{suffix}"
    table = as_frame([ROWS[0] | row for row in rows])
    write_table(table, path)
    pd.testing.assert_frame_equal(read_table(path), table)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_table_is_csv_or_parquet(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"a \.csv or a \.parquet file, not 'rows\.xlsx'"):
        check_table_path("rows.xlsx")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pyarrow"):
        check_table_path("rows.parquet")
    check_table_path("rows.csv")


@pytest.mark.parametrize(("name", "content"), [("a.csv", "a,b\n1,2\n"), ("a.parquet", "no parquet"), ("b.csv", "")])
def test_a_file_that_is_no_table_of_results_is_named(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"{name} is no table of results"):
        read_table(tmp_path / name)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(ValueError, match="is a file, but results go to a folder"):
        Store(tmp_path / "results")


def test_results_are_json_that_people_can_read(tmp_path):
    store = Store(tmp_path)
    store.keep(POINT, ROWS)
    content = json.loads(store.path(POINT).read_text())
    assert content["point"] == POINT.as_dict()
    assert content["rows"] == ROWS

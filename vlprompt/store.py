"""A folder of results: a small file for each point that is finished, and one for each that failed.

A file is written whole or not at all, under a name of its own, so a sweep may be killed at any moment, and several
may write to one folder. `done/` holds the rows of finished points, `failed/` the errors of the others.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from vlprompt.paths import replace_whole
from vlprompt.points import COLUMNS, Point
from vlprompt.workers import Failure

WHOLE = ("shots", "seed", "depth", "length", "n_params")
REAL = ("accuracy", "train_seconds", "eval_seconds")
KINDS = {c: "Int64" if c in WHOLE else "float64" if c in REAL else "str" for c in COLUMNS}
ORDER = ["protocol", "task", "method", "depth", "length", "options", "shots", "seed", "backbone", "recipe"]


class DamagedError(ValueError):
    """A file of the store does not hold what was written."""


@dataclass(frozen=True)
class Store:
    """The results in a folder, which is made when the first arrives."""

    folder: Path

    def __post_init__(self):
        object.__setattr__(self, "folder", Path(self.folder))
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, but results go to a folder")

    def path(self, point: Point) -> Path:
        """The file of a finished point."""
        return self.folder / "done" / f"{point.key}.json"

    def keep(self, point: Point, rows: list[dict]) -> None:
        """Write the rows of a finished point; an error of an earlier try is forgotten."""
        write(self.path(point), {"point": point.as_dict(), "rows": rows})
        self.failure_path(point).unlink(missing_ok=True)

    def rows(self, point: Point) -> list[dict] | None:
        """The rows of a point, None where it is not finished. A damaged file is a DamagedError that names it."""
        path = self.path(point)
        return read(path)["rows"] if path.exists() else None

    def failure_path(self, point: Point) -> Path:
        """The file of a failed point."""
        return self.folder / "failed" / f"{point.key}.json"

    def fail(self, point: Point, failure: Failure) -> None:
        """Write why a point failed; an earlier result of it stays."""
        write(self.failure_path(point), {"point": point.as_dict(), "error": failure.error, "trace": failure.trace})

    def failures(self) -> dict[Point, Failure]:
        """The points that failed at their last try, and why."""
        contents = [read(path) for path in sorted(self.folder.glob("failed/*.json"))]
        return {Point.read(c["point"]): Failure(c["error"], c["trace"]) for c in contents}

    def points(self) -> list[Point]:
        """All finished points."""
        return [Point.read(read(path)["point"]) for path in sorted(self.folder.glob("done/*.json"))]

    def table(self, points: Iterable[Point] | None = None) -> pd.DataFrame:
        """Tidy rows of the finished ones among some points, in their order; of all that are there, sorted."""
        chosen = list(self.points() if points is None else dict.fromkeys(points))
        frame = as_frame([row for point in chosen for row in self.rows(point) or ()])
        return frame.sort_values(ORDER, kind="stable", ignore_index=True) if points is None else frame


def write(path: Path, content: dict) -> None:
    """Write JSON with a checksum of what it says, whole or not at all."""
    with replace_whole(path) as temporary:
        text = json.dumps(content | {"sha256": checksum(content)}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict:
    """What `write` wrote. Any other content is a DamagedError that names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("sha256") != checksum(content):
            raise ValueError("its content is not what was written")
        if Point.read(content["point"]).key != path.stem:
            raise ValueError("it is about another point than its name says")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({error}); its sweep, run again, makes it anew") from None
    return content


def checksum(content: Mapping) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def as_frame(rows: list[dict]) -> pd.DataFrame:
    """Rows -> a DataFrame with COLUMNS, whose types do not depend on what the rows hold."""
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(KINDS)


def check_table_path(path: Path) -> None:
    """A ValueError where a table cannot be written to a file of this name, or not without a package."""
    if Path(path).suffix not in (".csv", ".parquet"):
        raise ValueError(f"a table is a .csv or a .parquet file, not {str(path)!r}")
    if Path(path).suffix == ".parquet" and not find_spec("pyarrow"):
        raise ValueError("a .parquet file needs pyarrow: pip install 'vlprompt[sweep]', or write a .csv file")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table to a .csv or .parquet file, whole or not at all."""
    check_table_path(path)
    with replace_whole(path) as temporary:
        if Path(path).suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """A table that `write_table` wrote. A file that is none is a ValueError that names it."""
    check_table_path(path)
    try:
        frame = pd.read_csv(path, dtype=KINDS) if Path(path).suffix == ".csv" else pd.read_parquet(path)
        return frame[list(COLUMNS)].astype(KINDS)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is no table of results: {error}") from None

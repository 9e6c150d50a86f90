"""Measurements of one call: seconds, peak memory, and the machine that they were taken on."""

import gc
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import open_clip
import torch
from torch.profiler import ProfilerActivity, profile

Result = TypeVar("Result")


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """The seconds until `call()` has run, on a GPU to its end."""
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def peak_memory(call: Callable[[], Result], device: torch.device) -> tuple[Result, int]:
    """What `call()` returns, and the bytes of tensors it held at most beyond those that were there before.

    Counted where the memory is handed out, so that the figure is the same each time and has the same meaning on a CPU
    as on a GPU; the libraries' own small workspaces are not in it.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        _wait(device)
        return result, torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own chatter
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        result = call()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        record.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    changes = [(event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]"]
    held = peak = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        held += change
        peak = max(peak, held)
    return result, peak


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the best of three products of large square matrices: what limits every step."""
    size = 8192 if device.type == "cuda" else 2048
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = [seconds(lambda: one @ other, device) for _ in range(4)][1:]
    return 2 * size**3 / min(times)


def machine(device: torch.device) -> dict[str, str | int]:
    """The processor, its threads in use, and the versions that decide about speed."""
    about = {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "open_clip": open_clip.__version__,
        "kernels": torch.backends.cpu.get_cpu_capability(),
    }
    if device.type == "cuda":
        about |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda or ""}
    return about


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:  # not Linux
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

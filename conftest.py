"""Settings of all tests and of the notebooks that nbval runs: those in which the stored outputs were made."""

import json
import os
import signal
from pathlib import Path

from hypothesis import settings

from notebooks.execute import ENVIRONMENT, warm_fonts

# A slow or busy machine is no failure, and the same examples come each time.
settings.register_profile("vlprompt", deadline=None, derandomize=True)
settings.load_profile("vlprompt")

ONLY_FOR_KERNELS = ("MPLBACKEND", "CUDA_VISIBLE_DEVICES")  # tests may use a GPU


def pytest_addoption(parser) -> None:
    parser.addoption("--keep-times", type=Path, metavar="FILE", help="write each lesson's seconds into a JSON file")


def pytest_configure(config) -> None:
    """Before anything imports torch, and before any kernel starts: kernels inherit this environment."""
    # A shell starts what runs in the background with Ctrl-C ignored, and children that tests interrupt inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    kernels = bool(config.getoption("--nbval", default=False) or config.getoption("--nbval-lax", default=False))
    os.environ.update({k: v for k, v in ENVIRONMENT.items() if kernels or k not in ONLY_FOR_KERNELS})
    if kernels:
        warm_fonts()
        config.pluginmanager.register(LessonTimes(config.getoption("--keep-times")), "lesson-times")


class LessonTimes:
    """Adds up what the cells of each lesson took, its kernel's start among them; prints it, and keeps it if asked."""

    def __init__(self, file: Path | None):
        self.file = file
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report) -> None:
        name = Path(report.location[0]).stem
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if not self.seconds:
            return
        terminalreporter.section("seconds of each lesson")
        for name, seconds in sorted(self.seconds.items()):
            terminalreporter.write_line(f"{seconds:6.1f}  {name}")
        terminalreporter.write_line(f"{sum(self.seconds.values()):6.1f}  in all, one after the other")
        if self.file:
            kept = {name: round(seconds, 1) for name, seconds in sorted(self.seconds.items())}
            self.file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

"""Settings of all tests and of the notebooks that nbval runs: those in which the stored outputs were made."""

import os

from hypothesis import settings

from notebooks.execute import ENVIRONMENT, warm_fonts

# A slow or busy machine is no failure, and the same examples come each time.
settings.register_profile("vlprompt", deadline=None, derandomize=True)
settings.load_profile("vlprompt")

ONLY_FOR_KERNELS = ("MPLBACKEND", "CUDA_VISIBLE_DEVICES")  # tests may use a GPU


def pytest_configure(config) -> None:
    """Before anything imports torch, and before any kernel starts: kernels inherit this environment."""
    kernels = bool(config.getoption("--nbval", default=False) or config.getoption("--nbval-lax", default=False))
    os.environ.update({k: v for k, v in ENVIRONMENT.items() if kernels or k not in ONLY_FOR_KERNELS})
    if kernels:
        warm_fonts()

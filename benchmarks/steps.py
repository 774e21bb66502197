"""Steps of a benchmark as processes of their own, so that the kernel knows the peak memory of each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def peak_gib() -> float:
    """Returns the most memory that this process has had, GiB."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 2**20


def measure(step: Callable[[], object]) -> None:
    """Runs a step and prints its seconds and the peak memory for `run`."""
    started = time.monotonic()
    step()
    tell(time.monotonic() - started, peak_gib())


def tell(*figures: float) -> None:
    """Prints figures for `run`."""
    print("figures", *figures)


def run(module: str, step: str, folder: Path) -> list[float]:
    """Runs `python -m module --step step --folder folder`; returns the figures that it told."""
    command = [sys.executable, "-m", module, "--step", step, "--folder", str(folder)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return list(map(float, printed.split("figures ")[1].split()))

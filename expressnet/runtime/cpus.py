"""The CPUs that this process may use."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path


def num_usable() -> int:
    """Returns how many CPUs this process may use: those of its affinity, cut to the container's share (cgroup v2)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError):
        return min(affinity, parse_cpu_share(Path("/sys/fs/cgroup/cpu.max").read_text()))
    return affinity


def one_for_each(num_workers: int) -> list[int]:
    """Returns a CPU for each of the processes, none unless they take every CPU that this process may use.

    MediaPipe hands an image from thread to thread; where these share a CPU, detection takes a quarter less of it.
    Fewer processes than CPUs go where there is room, as containers on one machine all would take the same first CPUs.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return usable if len(usable) == num_workers else []


def parse_cpu_share(cpu_max: str) -> int:
    """Returns the CPUs that the kernel's file cpu.max grants, rounded up ("150000 100000" is 1.5, "max" no limit).

    >>> parse_cpu_share("150000 100000")
    2
    """
    quota, period = cpu_max.split()
    return sys.maxsize if quota == "max" else max(1, math.ceil(int(quota) / int(period)))

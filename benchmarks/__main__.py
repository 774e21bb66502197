"""Runs benchmarks one after the other: `python -m benchmarks drill_images drill_archives -- --option`.

One that falls short does not stop those behind it; the exit code tells of it at the end. What stands behind `--` is
handed to each.
"""

from __future__ import annotations

import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Runs the modules; returns 0 if all of them did, 1 if one did not."""
    names, _, more = " ".join(arguments).partition(" -- ")
    codes = {
        name: subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *more.split()], check=False).returncode
        for name in names.split()
    }
    for name, code in codes.items():
        print(f"{name:<20}{'as it should be' if code == 0 else f'FELL SHORT (exit code {code})'}", flush=True)
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

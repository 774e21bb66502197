"""Changes a byte of an image and then nothing, and looks what runs again: `python -m benchmarks.drill_cache`.

The byte lies in a JPEG's header, where it changes no pixel: even so the data are others, under the same URI. The exit
code is 1 if a changed run reused a stage or an unchanged one ran more than the stages that always look outside. What an
interrupted drill has seen is printed too.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from expressnet.runtime import storage
from expressnet.stages import summary
from pipelines.cluster import package

_DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
_NUM_ROWS = 105  # 15 people, 7 expressions: enough for a split and the gate
_DENSITY_OFFSET = 15  # JFIF's horizontal density, which no decoder here reads


def _copy_demo(folder: Path) -> list[Path]:
    header, *rows = (_DEMO / "labels.csv").read_text().splitlines()
    rows = rows[:_NUM_ROWS]
    (folder / "images").mkdir(parents=True)
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    names = sorted(path.name for path in (_DEMO / "images").iterdir() if any(path.name in row for row in rows))
    return [Path(shutil.copy(_DEMO / "images" / name, folder / "images" / name)) for name in names]


def _change_one_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content[6:10] != b"JFIF":
        raise ValueError(f"{path} must be a JPEG with a JFIF header; its bytes 6 to 9 are {bytes(content[6:10])!r}.")
    content[_DENSITY_OFFSET] = content[_DENSITY_OFFSET] % 255 + 1
    path.write_bytes(content)


def _stages() -> tuple[set[str], set[str]]:
    """Returns the stages of the graph, and those of them that may be reused."""
    tasks = package.make("train", None, {}, allow_tags=True).tasks()
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    return set(tasks) & set(summary.STAGES), cached


def _reused(out: Path, source: Path, stages: set[str]) -> set[str]:
    """Runs the pipeline; returns the stages that it did not run."""
    command = [sys.executable, "-m", "pipelines", "run", "train", "--dataset", "demo", "--data-uri", str(source)]
    options = ["--preset", "tiny", "--epochs", "1", "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"A run failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    told = storage.read_json(max((out / "runs").iterdir()) / summary.SUMMARY_FILE)["stages"]
    if set(told) != stages:
        raise RuntimeError(f"A run must tell of {sorted(stages)}; it told of {sorted(told)}.")
    return {name for name, entry in told.items() if entry.get("reused")}


def _told(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def main() -> int:
    """Prints what was reused; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="changes; default: %(default)s")
    count = parser.parse_args().count
    chance = random.Random(0)
    stages, cached = _stages()
    num_done = num_fresh = num_reused = 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        out, source = Path(name) / "out", Path(name) / "source"
        images = _copy_demo(source)
        try:
            _reused(out, source, stages)
            while num_done < count:
                _change_one_byte(chance.choice(images))
                after_change, after_nothing = _reused(out, source, stages), _reused(out, source, stages)
                num_fresh += not after_change
                num_reused += after_nothing == cached
                num_done += 1
                print(
                    f"{num_done} of {count}, {time.monotonic() - started:.0f} s: changed, reused "
                    f"{_told(after_change)}; unchanged, reused {_told(after_nothing)}",
                    flush=True,
                )
        except KeyboardInterrupt:
            print(f"interrupted after {num_done} of {count}")
    print(f"one byte of one image changed: {num_fresh} of {num_done} runs did everything again")
    print(f"nothing changed: {num_reused} of {num_done} runs reused all but {_told(stages - cached)}")
    return 0 if num_fresh == num_reused == count else 1


if __name__ == "__main__":
    sys.exit(main())

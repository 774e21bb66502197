"""Changes a byte of an image and then nothing, and looks what runs again: `python -m benchmarks.drill_cache`.

The byte lies in a JPEG's header, where it changes no pixel: even so the data are others, under the same URI. The exit
code is 1 if a changed run reused a stage or an unchanged one ran more than the stages that always look outside.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from expressnet import console, storage, summary

_DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
_NUM_ROWS = 210  # 30 people, 7 expressions
_ALWAYS = {"ingest", "register", "promote"}
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


def _reused(out: Path, source: Path) -> set[str]:
    """Runs the pipeline; returns the stages that it did not run."""
    command = [sys.executable, "-m", "pipelines", "run", "train", "--dataset", "demo", "--data-uri", str(source)]
    options = ["--preset", "tiny", "--epochs", "1", "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"A run failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    stages = storage.read_json(max((out / "runs").iterdir()) / summary.SUMMARY_FILE)["stages"]
    return {name for name, entry in stages.items() if entry.get("reused")}


def main() -> int:
    """Prints what was reused; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="changes; default: %(default)s")
    count = parser.parse_args().count
    chance = random.Random(0)
    expected = set(summary.STAGES) - _ALWAYS
    num_fresh = num_reused = 0
    with tempfile.TemporaryDirectory() as name:
        out, source = Path(name) / "out", Path(name) / "source"
        images = _copy_demo(source)
        _reused(out, source)
        for _ in console.progress(range(count), total=count, unit="changes"):
            _change_one_byte(chance.choice(images))
            after_change, after_nothing = _reused(out, source), _reused(out, source)
            num_fresh += not after_change
            num_reused += after_nothing == expected
            if after_change or after_nothing != expected:
                print(f"changed: reused {sorted(after_change)}; unchanged: reused {sorted(after_nothing)}", flush=True)
    print(f"one byte of one image changed: {num_fresh} of {count} runs did everything again")
    print(f"nothing changed: {num_reused} of {count} runs reused all but {', '.join(sorted(_ALWAYS))}")
    return 0 if num_fresh == num_reused == count else 1


if __name__ == "__main__":
    sys.exit(main())

"""Predictions against the PyPI package fer on the same photographs. `python -m benchmarks.bench_predict`.

fer has a small network over Haar cascades, its default. (Over MTCNN it can't be run: its PyTorch and its TensorFlow end
each other's process.) Photographs are made from the demo set's faces on a larger background. Both sides run as whole
commands, from their start to their end, in turns; ours also writes its table. Time of processors,
unlike the clock's, does not tell what else the machine does. The network is of the preset `small` with weights that
nobody trained: it takes as long, and its answers do not matter here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.bench_crop import write_photos
from expressnet.artifacts.provenance import Preprocess, Provenance
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.datasets import labels
from expressnet.inference import bundle
from expressnet.model import expressnet, presets
from expressnet.registry import registry

ROOT = Path(__file__).resolve().parents[1]
FER = "fer==25.10.3"
FER_VENV = ROOT / "build" / "fer"
NUM_PHOTOS = 600
ROUNDS = 3
VERSION = "20260101-00000000"
# In a process of its own, as `make predict` has it. Its workers import the script too, but need no TensorFlow.
OURS = """
import json, sys

if __name__ == "__main__":

    from expressnet.config.predict import PredictConfig
    from expressnet.stages import predict

    report = predict.run(sys.argv[1], sys.argv[2], PredictConfig(version=sys.argv[3]))
    print(json.dumps(report))
"""


def write_workspace(folder: Path) -> None:
    """Registers an untrained network."""
    preset = presets.PRESETS["small"]
    classes = list(labels.CLASSES_7)
    settings = digest_fields(CropConfig(size_px=preset.size_px))
    (folder / "model").mkdir(parents=True)
    bundle.save(
        folder / "model",
        expressnet.build(preset, len(classes), 0),
        classes=classes,
        preprocess=Preprocess(size_px=preset.size_px, channel_order=preset.channel_order, crop=settings),
        provenance=Provenance(
            dataset="bench", dataset_id="bench", dataset_digest="", split_digest="", protocol="honest", config={}
        ),
    )
    registry.Registry(folder).register(
        "expressnet-bench",
        VERSION,
        bundle.digest(folder / "model"),
        {"model": folder / "model"},
        params={},
        metrics={},
        tags={},
    )


def fer_python() -> Path | None:
    """Returns the interpreter of an environment with fer, made if it is missing; None where it can't be had."""
    python = FER_VENV / "bin" / "python"
    uv = ROOT / ".tools" / "bin" / "uv"
    if not (FER_VENV / "ready").exists():
        commands = [
            [uv, "venv", "--clear", "--python", sys.executable, FER_VENV],
            [uv, "pip", "install", "-p", python, FER, "setuptools<81"],
        ]
        for command in commands:
            if subprocess.run(command, check=False).returncode:
                return None
        (FER_VENV / "ready").touch()
    return python


class Round(NamedTuple):
    """One command over all photographs: seconds on the clock and of processors, and what it says of its loop."""

    clock_s: float
    cpu_s: float
    loop_images_per_s: float
    face_rate: float


def timed(command: list[str | Path]) -> tuple[float, float, dict]:
    """Runs a command; returns its seconds, clock and processor, and the JSON in the last line that it prints.

    Raises:
        RuntimeError: it failed.
    """
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    clock_s, after = time.perf_counter() - started, os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])  # of children, user and system, and of theirs that were waited for
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return clock_s, cpu_s, json.loads(done.stdout.splitlines()[-1])


def measure(peer_python: Path | None, folder: Path, num_rounds: int) -> dict[str, list[Round]]:
    """Returns every round by name."""
    (folder / "ours.py").write_text(OURS)
    found: dict[str, list[Round]] = {name: [] for name in ("ours", *(["fer"] if peer_python else []))}
    for number in range(num_rounds):
        workspace = folder / f"workspace{number}"
        write_workspace(workspace)
        clock_s, cpu_s, report = timed([sys.executable, folder / "ours.py", folder / "photos", workspace, VERSION])
        face_rate = report["num_faces_found"] / report["num_files"]
        found["ours"].append(Round(clock_s, cpu_s, report["images_per_s"], face_rate))
        if peer_python:
            clock_s, cpu_s, report = timed([peer_python, ROOT / "benchmarks" / "fer_peer.py", folder / "photos"])
            rate, face_rate = report["num_files"] / report["loop_s"], report["num_found"] / report["num_files"]
            found["fer"].append(Round(clock_s, cpu_s, rate, face_rate))
    return found


def tell(found: dict[str, list[Round]], num_photos: int) -> None:
    """Prints images/s of each side, and the ratio of every round."""
    for name, rounds in found.items():
        clock_s, cpu_s, rate, face_rate = (median(column) for column in zip(*rounds, strict=True))
        print(
            f"{name:>5}: {num_photos / clock_s:.1f} images/s as a whole command ({clock_s:.1f} s, {cpu_s:.1f} s of "
            f"processors), {rate:.1f} without loading the model; faces found in {face_rate:.1%}"
        )
    if "fer" in found:
        for place, name in enumerate(("clock", "processors")):
            ratios = [theirs[place] / ours[place] for theirs, ours in zip(found["fer"], found["ours"], strict=True)]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"against fer, whole command, {name}, x faster: {median(ratios):.2f} ({each})")


def main() -> int:
    """Prints every figure; returns 1 if there is no ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fer-python", type=Path, help=f"an interpreter that has {FER}; otherwise one is made")
    parser.add_argument("--photos", type=int, default=NUM_PHOTOS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    peer_python = options.fer_python or fer_python()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_photos(folder / "photos", options.photos)
        found = measure(peer_python, folder, options.rounds)
    print(f"{options.photos:,} photographs of 320 to 512 px, medians of {options.rounds} rounds in turns")
    tell(found, options.photos)
    if peer_python is None:
        print(f"{FER} could not be installed: no ratio")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Kills trainings and lets them go on, ours and Keras' BackupAndRestore: `python -m benchmarks.drill_resume`.

The exit code is 1 if one of ours does not end bit by bit as the training that nobody killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from expressnet.runtime import console, storage
from tests.made import made_crops

NUM_ANYWHERE = NUM_IN_WRITE = 10
NUM_KERAS = 10
_COUNT = 960  # pictures
_LONGEST_WRITE_S = 0.004
_ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def _start(way: str, folder: Path, *more: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.resumed", way, str(folder), *more]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, env=_ENVIRONMENT, stdout=log, stderr=log)


def _begun(way: str, folder: Path) -> bool:
    return (folder / "begun").exists() if way == "keras" else bool(list(folder.glob("work/*/0000-*")))


def _train(way: str, folder: Path) -> float:
    """Trains to the end; returns the seconds from the first step on."""
    running, started = _start(way, folder), 0.0
    while running.poll() is None:
        if not started and _begun(way, folder):
            started = time.monotonic()
        time.sleep(0.002)
    return time.monotonic() - started


def _kill_anywhere(way: str, folder: Path, seconds: float) -> bool:
    running = _start(way, folder)
    while not _begun(way, folder) and running.poll() is None:
        time.sleep(0.002)
    time.sleep(seconds)
    running.send_signal(signal.SIGKILL)
    return running.wait() == -signal.SIGKILL


def _kill_in_write(folder: Path, number: int, delay_s: float) -> bool:
    killed = _start("ours", folder, "--die-in-write", str(number), "--delay-s", str(delay_s)).wait() == -signal.SIGKILL
    return killed and bool(list(folder.glob(f"work/*/.*{storage.PARTIAL_SUFFIX}")))


def _result_of_ours(folder: Path) -> list[str]:
    """Returns the digests of the model and of the last state: weights, optimizer, history, best weights."""
    states = sorted(path.name for path in folder.glob("work/*/*.safetensors"))
    weights = folder / "model/weights.safetensors"
    return [storage.file_sha256(weights), states[-1]] if weights.exists() and states else []


def _result_of_keras(folder: Path) -> list[str]:
    path = folder / "final.npz"
    if not path.exists():
        return []
    with np.load(path) as arrays:
        return [storage.bytes_sha256(arrays[name].tobytes()) for name in arrays.files]


def _outcome(way: str, folder: Path, expected: list[str], result: Callable[[Path], list[str]]) -> str:
    _train(way, folder)
    found = result(folder)
    return "identical" if found == expected else "another" if found else "did not end"


def _repeatedly(kill: Callable[[Path], bool], folder: Path) -> None:
    """Tries until a kill came where it should; what missed is thrown away."""
    while not kill(folder):
        shutil.rmtree(folder)


def main() -> int:
    """Prints how killed trainings ended; returns the exit code."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        made_crops.write(root, _COUNT)
        seconds = {way: _train(way, root / way) for way in ("ours", "keras")}
        expected = {"ours": _result_of_ours(root / "ours"), "keras": _result_of_keras(root / "keras")}
        if not all(expected.values()):
            raise RuntimeError(f"A training that nobody killed did not end: {expected}")
        console.say(f"unbroken: ours {seconds['ours']:.1f} s, Keras' {seconds['keras']:.1f} s")
        plans = [("ours", "anywhere")] * NUM_ANYWHERE + [("ours", "in a write")] * NUM_IN_WRITE
        plans += [("keras", "anywhere")] * NUM_KERAS
        outcomes: Counter[tuple[str, str, str]] = Counter()
        for number, (way, place) in enumerate(console.progress(plans, total=len(plans), unit="kills")):
            folder = root / f"{way}{number}"
            if place == "anywhere":
                _repeatedly(lambda to: _kill_anywhere(way, to, chance.uniform(0, 0.9 * seconds[way])), folder)  # noqa: B023
            else:
                _repeatedly(
                    lambda to: _kill_in_write(to, chance.randint(2, 200), chance.uniform(0, _LONGEST_WRITE_S)), folder
                )
            result = _result_of_ours if way == "ours" else _result_of_keras
            outcomes[way, place, _outcome(way, folder, expected[way], result)] += 1
            shutil.rmtree(folder)
    for (way, place, outcome), count in sorted(outcomes.items()):
        print(f"{'ours' if way == 'ours' else 'Keras BackupAndRestore'}, killed {place}: {count} {outcome}")
    num_kills = NUM_ANYWHERE + NUM_IN_WRITE
    num_same = sum(outcomes["ours", place, "identical"] for place in ("anywhere", "in a write"))
    print(f"ours: {num_same} of {num_kills} bit-identical in weights, optimizer, history and best model")
    return 0 if num_same == num_kills else 1


if __name__ == "__main__":
    sys.exit(main())

"""Splits ten million rows within 2 GiB and races scikit-learn: `python -m benchmarks.bench_split`.

Every measured step is a process of its own, whose peak memory is asked of the kernel. The exit code is 1 if a figure
is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.model_selection import StratifiedGroupKFold

from expressnet import duplicates, grouping, manifest, manifest_stream, shards, split, storage
from expressnet.config.split import SplitConfig

MAX_GIB = 2.0
MIN_RATIO = 5.0
_CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
_SHARES = (0.09, 0.02, 0.03, 0.06, 0.4, 0.25, 0.1, 0.05)
_GROUP_ROWS = 1 << 17
_PEER_ROWS = 100_000
_NUM_DRAWS = 3
_BYTES_EACH = 20_000.0  # of a photograph
_TWINS, _KNOWN = 0.05, 0.3  # shares of rows that show another row's picture, and of those whose person is known
_IMAGES_EACH = 6  # of a known person


def write_crops(folder: Path, num_rows: int, seed: int) -> None:
    """Writes what crop leaves of so many synthetic rows, a row group at a time.

    One row in twenty shows the picture of another row again, half of them pixel by pixel and half with up to 8 bits
    of its perceptual hash flipped; three in ten belong to a person with about six pictures.
    """
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    edges = [*range(0, num_rows, _GROUP_ROWS), num_rows]
    with manifest_stream.writing(folder, manifest.CROPPED) as writer:
        for start, stop in pairwise(edges):
            writer.write_batch(_batch(start, stop, num_rows, noise))
    dataset = {"num_subjects": int(num_rows * _KNOWN / _IMAGES_EACH), "dataset_digest": "0" * 64, "num_forgotten": 0}
    storage.write_json(folder / "crops.json", {"dataset": dataset})


def _batch(start: int, stop: int, num_rows: int, noise: np.random.Generator) -> pa.RecordBatch:
    count = stop - start
    first_words = np.sort(noise.integers(0, 2**64 // num_rows * count, count, dtype=np.uint64))
    keys = noise.integers(0, 2**64, (count, 4), dtype=np.uint64)
    keys[:, 0] = first_words + np.uint64(2**64 // num_rows * start)  # ascending over all row groups
    is_twin = noise.random(count) < _TWINS
    picture = np.where(is_twin, noise.integers(0, num_rows, count), np.arange(start, stop)).astype(np.uint64)
    pixels = np.stack([_mixed(picture, word) for word in range(4)], axis=1)
    is_near = is_twin & (noise.random(count) < 0.5)
    pixels[is_near] = keys[is_near]
    hashes = np.stack([_mixed(picture, word) for word in (4, 5)], axis=1)
    for bit in noise.integers(0, 64, (8, count), dtype=np.uint64):
        hashes[:, 0] ^= np.where(is_near, np.uint64(1) << bit, np.uint64(0))
    people = noise.integers(0, max(1, int(num_rows * _KNOWN / _IMAGES_EACH)), count)
    subjects = np.where(noise.random(count) < _KNOWN, people, -1)
    columns = {
        "sha256": _hex(keys), "pixel_sha256": _hex(pixels), "phash": _hex(hashes),
        "label": [_CLASSES[place] for place in noise.choice(len(_CLASSES), count, p=_SHARES)],
        "subject": [f"person {number}" if number >= 0 else "" for number in subjects.tolist()],
        "source_uri": [f"images/{number:08d}.jpg" for number in range(start, stop)],
        "box_xyxy": pa.FixedSizeListArray.from_arrays(pa.array(noise.integers(0, 500, 4 * count), pa.int32()), 4),
    }  # fmt: skip
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) if field.name in columns else _same(field, count)
         for field in manifest.CROPPED],
        schema=manifest.CROPPED.with_metadata(manifest.METADATA),
    )  # fmt: skip


def _same(field: pa.Field, count: int) -> pa.Array:
    values = {"source_split": "none", "format": "JPEG", "shard": "0.tar", "face_found": True}
    empty = [] if pa.types.is_list(field.type) else "" if pa.types.is_string(field.type) else 1
    return pa.array([values.get(field.name, empty)] * count, field.type)


def _mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Returns uint64 that look random and are a function of the numbers (the finalizer of splitmix64)."""
    mixed = (numbers + np.uint64(1 + salt * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hex(words: np.ndarray) -> list[str]:
    """Returns 16 digits for each of uint64[rows, words]."""
    text, width = words.astype(">u8").tobytes().hex(), 16 * words.shape[1]
    return [text[start : start + width] for start in range(0, len(text), width)]


def _run_step(step: str, folder: Path) -> None:
    """Runs one step and prints its seconds and this process's peak memory in GiB."""
    started = time.monotonic()
    if step == "planned":
        with manifest_stream.reading(folder / "faces", manifest.CROPPED) as file:
            keys = [key for batch in manifest_stream.batches(file, ["sha256"]) for key in batch["sha256"].to_pylist()]
        shards._groups(keys, bytes_each=_BYTES_EACH)
    elif step == "groups":
        duplicates.read_groups(folder / "faces" / manifest.FILE_NAME)
    else:
        config = SplitConfig(split_file=str(folder / "drawn" / "split.csv") if step == "imported" else "")
        split.run(str(folder / "faces"), str(folder / step), config)
    seconds = time.monotonic() - started
    status = Path("/proc/self/status").read_text()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    print(f"figures {seconds} {peak_kib / 2**20}")


def _measure_memory(folder: Path, num_rows: int) -> bool:
    is_met = True
    for step, name in (("planned", "every one given its shard"), ("groups", "near-duplicates grouped"),
                       ("drawn", "split drawn and written"),
                       ("imported", "split imported, checked and written")):  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.bench_split", "--step", step, "--folder", str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, gib = map(float, printed.split("figures ")[1].split())
        print(
            f"{num_rows:,} rows, {name}: {gib:.2f} GiB at the peak (asked: at most {MAX_GIB}), {seconds:.0f} s, "
            f"{num_rows / seconds:,.0f} rows/s", flush=True,
        )  # fmt: skip
        is_met &= gib <= MAX_GIB
    return is_met


def _race() -> bool:
    """Draws a fifth of 100,000 rows, in turns with StratifiedGroupKFold; prints times and how exact the classes are."""
    noise = np.random.default_rng(0)
    labels = noise.choice(len(_CLASSES), _PEER_ROWS, p=_SHARES).astype(np.int16)
    people = noise.integers(0, int(_PEER_ROWS * _KNOWN / _IMAGES_EACH), _PEER_ROWS)
    is_known = noise.random(_PEER_ROWS) < _KNOWN
    groups = np.where(is_known, people, len(people) + np.arange(_PEER_ROWS))
    wanted = np.rint(np.bincount(labels) / 5)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    worst = {"ours": 0.0, "theirs": 0.0}
    for seed in range(_NUM_DRAWS):
        for name in seconds:
            started = time.monotonic()
            if name == "ours":
                drawn = grouping.draw(labels, _CLASSES, groups, 0.2, seed)
            else:
                folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
                drawn = next(folds.split(labels, labels, groups))[1]
            seconds[name].append(time.monotonic() - started)
            worst[name] = max(worst[name], np.abs(np.bincount(labels[drawn]) - wanted).max())
    ours, theirs = (float(np.median(seconds[name])) for name in ("ours", "theirs"))
    print(
        f"{_PEER_ROWS:,} rows, a fifth drawn in whole groups: {ours:.3f} s against {theirs:.3f} s of scikit-learn's "
        f"StratifiedGroupKFold, {theirs / ours:.1f} x as fast (asked: at least {MIN_RATIO:.0f} x); a class is off by "
        f"{worst['ours']:.0f} rows at most (asked: 0) against {worst['theirs']:.0f}"
    )
    return theirs >= MIN_RATIO * ours and worst["ours"] == 0


def main() -> int:
    """Prints every figure with what was asked; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the rows are written; needs 6 GB for ten million")
    parser.add_argument("--step", choices=("planned", "groups", "drawn", "imported"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        _run_step(options.step, options.folder)
        return 0
    is_met = _race()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        started = time.monotonic()
        write_crops(Path(folder) / "faces", options.rows, seed=1)
        print(f"{options.rows:,} rows written in {time.monotonic() - started:.0f} s", flush=True)
        is_met &= _measure_memory(Path(folder), options.rows)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())

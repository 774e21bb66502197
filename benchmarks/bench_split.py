"""Splits ten million rows within 2 GiB and races scikit-learn: `python -m benchmarks.bench_split`.

Every measured step is a process of its own, whose peak memory is asked of the kernel. The exit code is 1 if a figure
is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks import steps, synthetic
from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.split import SplitConfig
from expressnet.data import grouped_draw, manifest, manifest_stream, shards
from expressnet.imaging import near_duplicates
from expressnet.stages import split

MAX_GIB = 2.0
MIN_RATIO = 5.0
_PEER_ROWS = 100_000
_NUM_DRAWS = 3
_BYTES_EACH = 20_000.0  # of a photograph


def write_crops(folder: Path, num_rows: int, seed: int) -> None:
    """Writes what crop leaves of so many synthetic rows."""
    folder.mkdir(parents=True)
    with manifest_stream.writing(folder, manifest.CROPPED) as writer:
        for batch in synthetic.batches(num_rows, seed):
            writer.write_batch(batch)
    num_subjects = int(num_rows * synthetic.KNOWN / synthetic.IMAGES_EACH)
    dataset = DatasetInfo(
        dataset_id="synthetic", dataset_digest="0" * 64, classes=list(synthetic.CLASSES), num_subjects=num_subjects
    )
    CropsInfo(crops_digest="0" * 64, config={}, dataset=dataset).write(folder)


def _run_step(step: str, folder: Path) -> None:
    if step == "planned":
        with manifest_stream.reading(folder / "faces", manifest.CROPPED) as file:
            keys = [key for batch in manifest_stream.batches(file, ["sha256"]) for key in batch["sha256"].to_pylist()]
        shards._groups(keys, bytes_each=_BYTES_EACH)
    elif step == "groups":
        near_duplicates.read_groups(folder / "faces" / manifest.FILE_NAME)
    else:
        config = SplitConfig(split_file=str(folder / "drawn" / "split.csv") if step == "imported" else "")
        split.run(str(folder / "faces"), str(folder / step), config)


def _measure_memory(folder: Path, num_rows: int) -> bool:
    is_met = True
    for step, name in (
        ("planned", "every one given its shard"),
        ("groups", "near-duplicates grouped"),
        ("drawn", "split drawn and written"),
        ("imported", "split imported, checked and written"),
    ):
        seconds, gib = steps.run("benchmarks.bench_split", step, folder)
        print(
            f"{num_rows:,} rows, {name}: {gib:.2f} GiB at the peak (asked: at most {MAX_GIB}), {seconds:.0f} s, "
            f"{num_rows / seconds:,.0f} rows/s",
            flush=True,
        )
        is_met &= gib <= MAX_GIB
    return is_met


def _race() -> bool:
    """Draws a fifth of 100,000 rows, in turns with StratifiedGroupKFold; prints times and how exact the classes are."""
    noise = np.random.default_rng(0)
    labels = noise.choice(len(synthetic.CLASSES), _PEER_ROWS, p=synthetic.SHARES).astype(np.int16)
    people = noise.integers(0, int(_PEER_ROWS * synthetic.KNOWN / synthetic.IMAGES_EACH), _PEER_ROWS)
    is_known = noise.random(_PEER_ROWS) < synthetic.KNOWN
    groups = np.where(is_known, people, len(people) + np.arange(_PEER_ROWS))
    wanted = np.rint(np.bincount(labels) / 5)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    worst = {"ours": 0.0, "theirs": 0.0}
    for seed in range(_NUM_DRAWS):
        for name in seconds:
            started = time.monotonic()
            if name == "ours":
                drawn = grouped_draw.draw(labels, synthetic.CLASSES, groups, 0.2, seed)
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
        steps.measure(lambda: _run_step(options.step, options.folder))
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

"""Checks ten million rows within 2 GiB and races Great Expectations: `python -m benchmarks.bench_validation`.

Every measured step is a process of its own, whose peak memory is asked of the kernel. The exit code is 1 if a figure
is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pyarrow as pa

from benchmarks import steps, synthetic
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.validate import ValidateConfig
from expressnet.data import expectations, manifest, manifest_stream
from expressnet.stages import validate

MAX_GIB = 2.0
MAX_RATIO = 1.5
MAX_GROWTH = 1.3
SMALL, LARGE, HUGE = 10_000, 1_000_000, 10_000_000
ROUNDS = 3
_MODULE = "benchmarks.bench_validation"
_USUAL = {"width": 96, "height": 96, "bytes": 4000, "brightness": 120.0, "contrast": 40.0, "copies": 1}


def write_dataset(folder: Path, num_rows: int) -> None:
    """Writes what ingest leaves of so many synthetic rows; one in four is of the published test split."""
    (folder / "shards").mkdir(parents=True)
    (folder / "shards" / "0.tar").touch()
    noise = np.random.default_rng(2)
    with manifest_stream.writing(folder, manifest.INGESTED) as writer:
        for rows in synthetic.batches(num_rows, seed=1):
            replaced = {name: [value] * len(rows) for name, value in _USUAL.items()}
            replaced |= {"problem": [""] * len(rows), "subject": [""] * len(rows)}
            replaced["source_split"] = np.where(noise.random(len(rows)) < 0.25, "test", "train").tolist()
            columns = [
                pa.array(replaced[field.name], field.type) if field.name in replaced else rows[field.name]
                for field in manifest.INGESTED
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=writer.schema))
    DatasetInfo(dataset_id="synthetic", dataset_digest="0" * 64, classes=list(synthetic.CLASSES)).write(folder)


def _race(folder: Path) -> None:
    """Prints the seconds of the whole stage and of ten plain expectations on the same rows, in turns."""
    frame = manifest.read(folder)
    config = ValidateConfig()
    of_all, of_readable, _ = expectations.suites(list(synthetic.CLASSES), config)
    ten = [*of_all, *of_readable, gxe.ExpectTableRowCountToBeBetween(min_value=1)]
    if len(ten) != 10:
        raise ValueError(f"The peer has ten expectations; got {len(ten)}.")
    ours, theirs = [], []
    for number in range(ROUNDS):
        started = time.monotonic()
        validate.run(str(folder), str(folder / f"out{number}"), config)
        ours.append(time.monotonic() - started)
        started = time.monotonic()
        expectations.batch_of(frame).validate(gx.ExpectationSuite(name="peer", expectations=ten))
        theirs.append(time.monotonic() - started)
    steps.tell(median(ours), median(theirs), frame.memory_usage(deep=True).sum() / 2**30)


def main() -> int:
    """Prints every figure with what was asked; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=HUGE)
    parser.add_argument("--folder", type=Path, help="where the rows are written; needs 4 GB for ten million")
    parser.add_argument("--step", choices=("race", "check"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder
    if options.step == "race":
        _race(folder)
        return 0
    if options.step == "check":
        steps.measure(lambda: validate.run(str(folder), str(folder / "out"), ValidateConfig()).plain())
        return 0
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        peaks = {}
        for num_rows in (SMALL, LARGE, options.rows):
            write_dataset(Path(scratch, str(num_rows)), num_rows)
            seconds, peaks[num_rows] = steps.run(_MODULE, "check", Path(scratch, str(num_rows)))
            print(f"{num_rows:,} rows checked: {peaks[num_rows]:.2f} GiB at the peak, {seconds:.0f} s", flush=True)
        ours, theirs, frame_gib = steps.run(_MODULE, "race", Path(scratch, str(LARGE)))
    growth = max(0.0, peaks[LARGE] - frame_gib) / peaks[SMALL]
    print(f"{options.rows:,} rows: {peaks[options.rows]:.2f} GiB, asked: at most {MAX_GIB}")
    print(
        f"{LARGE:,} rows against {SMALL:,}: {peaks[LARGE] / peaks[SMALL]:.2f} x the memory; beyond the frame of "
        f"{frame_gib:.2f} GiB {growth:.2f} x, asked: at most {MAX_GROWTH}"
    )
    print(
        f"{LARGE:,} rows: {ours:.1f} s for all checks against {theirs:.1f} s for ten expectations of Great "
        f"Expectations, {ours / theirs:.2f} x, asked: at most {MAX_RATIO}"
    )
    return 0 if peaks[options.rows] <= MAX_GIB and growth <= MAX_GROWTH and ours <= MAX_RATIO * theirs else 1


if __name__ == "__main__":
    sys.exit(main())

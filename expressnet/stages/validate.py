"""The gate in front of everything costly: bad data stops the run, with the reason."""

from __future__ import annotations

import functools
import gc
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.stored import Facts, Stored
from expressnet.config.validate import ValidateConfig
from expressnet.data import compact_columns, expectations, manifest, manifest_stream, shards
from expressnet.data.set_checks import SET_CHECKS, SetCheck
from expressnet.report import validation_page
from expressnet.runtime import console, storage

REPORT_FILE = "report.html"
Batches = Callable[[list[str]], Iterator[pd.DataFrame]]
_COLUMNS = [
    "sha256",
    "label",
    "source_split",
    "subject",
    "source_uri",
    "copies",
    "bytes",
    "width",
    "height",
    "problem",
    "pixel_sha256",
    "phash",
    "brightness",
    "contrast",
]
_NAMING_COLUMNS = ["source_uri", "subject", "copies", "width", "height", "brightness"]


class Check(Facts):
    """The outcome of one check.

    Attributes:
        id: as in SEVERITIES=.
        title: what should be true.
        result: passed, warn or stop.
        finding: in words, with culprits.
        num_unexpected: how many rows it is about.
    """

    id: str
    title: str
    result: str
    finding: str
    num_unexpected: int


class Validation(Stored):
    """The checks of a data set."""

    FILE: ClassVar[str] = "validation.json"

    dataset_digest: str
    checks: list[Check]


class Validated(Facts):
    """The report of validate: how many checks there were, and how many of them failed or warn."""

    num_checks: int
    num_failed: int
    num_warnings: int
    dataset_digest: str


def run(dataset_dir: str, out_dir: str, config: ValidateConfig) -> Validated:
    """Checks an ingested data set and writes the result and a page for people.

    Returns:
        The report.

    Raises:
        ValueError: a check failed that stops the run; the message names the check and the culprits. The page lies in
            `out_dir`.failed then, and there is no `out_dir`.
    """
    dataset = Path(dataset_dir)
    info = DatasetInfo.read(dataset)
    other = _other(dataset.parent, config.compare_with) if config.compare_with else None
    with manifest_stream.reading(dataset, manifest.INGESTED) as file:
        _require_shards(dataset, file)
        checks = check(functools.partial(_batches, file), info, config)
        found = validation_page.Distributions.of(functools.partial(_batches, file))
    failed = [one for one in checks if one.result == "stop"]
    warned = [one for one in checks if one.result == "warn"]
    console.say(f"{len(checks) - len(failed) - len(warned)} of {len(checks)} checks passed")
    for one in warned:
        console.say(f"warning: not true that {one.title}: {one.finding}")
    target = Path(f"{out_dir}.failed" if failed else out_dir)
    if failed:
        shutil.rmtree(target, ignore_errors=True)  # of the last try
    with storage.committed_dir(target) as partial:
        Validation(dataset_digest=info.dataset_digest, checks=checks).write(partial)
        shown = [one.as_dict() for one in checks]
        page = validation_page.render(info.as_dict(), shown, found, other.as_dict() if other else None)
        storage.write_bytes(partial / REPORT_FILE, page.encode())
    if failed:
        listed = "\n".join(f"- {one.title}: {one.finding} [{one.id}]" for one in failed)
        raise ValueError(f"The data did not pass validation:\n{listed}\nThe whole report: {target / REPORT_FILE}")
    return Validated(num_checks=len(checks), num_failed=0, num_warnings=len(warned), dataset_digest=info.dataset_digest)


def _other(store: Path, digest: str) -> DatasetInfo:
    """Returns dataset.json of the stored data set whose digest begins so.

    Raises:
        ValueError: there is none, or there are several.
    """
    known = {path.parent.name: DatasetInfo.read_file(path) for path in sorted(store.glob(f"*/{DatasetInfo.FILE}"))}
    found = [info for name, info in known.items() if name.startswith(digest)]
    if len(found) != 1:
        listed = ", ".join(f"{name[:8]} ({info.dataset_id})" for name, info in known.items())
        raise ValueError(
            f"compare_with={digest} must be the first digits of one data set's digest; {len(found)} begin so. "
            f"Ingested in this workspace are: {listed}."
        )
    return found[0]


def _require_shards(dataset: Path, file: pq.ParquetFile) -> None:
    names = {name for batch in file.iter_batches(columns=["shard"]) for name in batch["shard"].unique().to_pylist()}
    missing = sorted(name for name in names if not (dataset / shards.FOLDER / name).exists())
    if missing:
        raise ValueError(f"{dataset} lost the shards {missing[: expectations.NAMED]}. Delete the folder and run again.")


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pd.DataFrame]:
    for batch in manifest_stream.batches(file, columns):
        yield batch.to_pandas()
        gc.collect()  # Great Expectations' objects hold the rows, and each other in a circle


def check(batches: Batches, info: DatasetInfo, config: ValidateConfig) -> list[Check]:
    """Runs the expectation suites over a manifest, and what they have no word for.

    Ten million rows take less than 2 GiB.

    Args:
        batches: yields the given columns of the manifest in parts; is called again where culprits are to be named.
        info: what is said of the data set.
        config: limits and severities.

    Returns:
        One outcome per check; checks that are off are left out.

    Raises:
        ValueError: `severities` names a check that does not exist.
    """
    suites = expectations.suites(info.classes, config)
    severities = _severities([expectation.meta for suite in suites for expectation in suite], config)
    of_all, of_readable, of_summary = (
        [expectations.Tally(one) for one in suite if severities[one.meta["id"]] != "off"] for suite in suites
    )
    columns, num_rows, class_counts = compact_columns.Columns(), 0, Counter[str]()
    # No rows first, for a manifest that has none.
    for rows in itertools.chain([pd.DataFrame(columns=_COLUMNS)], batches(_COLUMNS)):
        rows.index = pd.RangeIndex(num_rows, num_rows + len(rows))
        num_rows += len(rows)
        readable = rows[rows["problem"] == ""]
        expectations.run(rows, of_all)
        expectations.run(readable, of_readable)
        columns.add(readable)
        class_counts += Counter({str(name): int(count) for name, count in readable["label"].value_counts().items()})
    expectations.run(expectations.summary(num_rows, {name: class_counts[name] for name in info.classes}), of_summary)
    set_checks = [one for one in SET_CHECKS if severities[one.id] != "off"]
    found = [tally.in_words() for tally in (*of_all, *of_readable, *of_summary)]
    found += _of_set(set_checks, columns.rows(), info, batches)
    return [Check(**{**one, "result": "passed" if one["success"] else severities[one["id"]]}) for one in found]


def _severities(metas: list[dict[str, str]], config: ValidateConfig) -> dict[str, str]:
    """Returns what every check does that fails: what the user chose, or its own."""
    known = {meta["id"]: meta["severity"] for meta in metas} | {one.id: one.severity for one in SET_CHECKS}
    unknown = sorted(set(config.chosen_severities) - set(known))
    if unknown:
        raise ValueError(f"severities names the unknown check {unknown[0]!r}; known are {', '.join(known)}.")
    return known | config.chosen_severities


def _of_set(
    checks: list[SetCheck], rows: compact_columns.Rows, info: DatasetInfo, batches: Batches
) -> list[dict[str, Any]]:
    """Runs the checks of the whole set, and looks up the names of the first culprits of each."""
    counts, texts, places = {}, {}, {}
    for one in checks:
        culprits = one.culprits(rows, info)
        if isinstance(culprits, np.ndarray):
            counts[one.id] = int(culprits.sum())
            places[one.id] = rows.frame.index[np.flatnonzero(culprits)[: expectations.NAMED]].tolist()
        else:
            texts[one.id] = list(culprits)
            counts[one.id] = len(texts[one.id])
    found = _rows_at({place for some in places.values() for place in some}, batches)
    for one in checks:
        texts.setdefault(one.id, [one.named(found[place]) for place in places.get(one.id, ())])
    return [
        {
            "id": one.id,
            "title": one.title,
            "success": not counts[one.id],
            "num_unexpected": counts[one.id],
            "finding": expectations.listed(texts[one.id], counts[one.id]) if counts[one.id] else "all",
        }
        for one in checks
    ]


def _rows_at(places: set[int], batches: Batches) -> dict[int, pd.Series]:
    found: dict[int, pd.Series] = {}
    start = 0
    for rows in batches(_NAMING_COLUMNS) if places else ():
        found |= {place: rows.iloc[place - start] for place in places if start <= place < start + len(rows)}
        start += len(rows)
    return found

"""Reads a data set from where it is into a content-addressed folder: manifest and tar shards."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from expressnet import console, datasets, images, manifest, shards, storage
from expressnet.config import IngestConfig
from expressnet.datasets.base import Record, Source

INFO_FILE = "dataset.json"
CONFLICTS_FILE = "label_conflicts.csv"
_THREADS = min(8, 2 * (os.cpu_count() or 1))


def run(data_uri: str, store_dir: str | Path, config: IngestConfig) -> dict[str, Any]:
    """Ingests a data set; the same content again costs the reading and writes nothing.

    The output folder is `store_dir`/<dataset digest>. A run that was killed leaves its finished shards in
    `<dataset digest>.partial`, where the next one finds them.

    Returns:
        The report; `path` is the output folder and `dataset_digest` the digest of its content.

    Raises:
        ValueError, FileNotFoundError: the source is no copy of the data set; the message says why.
    """
    source = datasets.find(config.dataset).scan(data_uri)
    console.say(f"found {len(source.records):,} examples, layout {source.layout}")
    facts, records = _read_all(source)
    kept, conflicts = merge_duplicates(facts)
    if kept.empty:
        raise ValueError(
            f"Nothing remains of {len(facts):,} examples: each came with conflicting labels, "
            f"{conflicts['source_uri'].iloc[0]} for example. Is every picture in one class folder only?"
        )
    if config.limit:
        kept = stratified_sample(kept, config.limit)
    content = manifest.digest(kept, manifest.DATASET_COLUMNS)
    digest = storage.json_digest([source.dataset_id, source.classes, content])
    info = _info(source, config, kept, conflicts, digest, num_records=len(facts))
    out_dir = Path(store_dir) / digest
    with storage.lock(Path(store_dir) / f"{digest}.lock", wait=True):
        if (out_dir / INFO_FILE).exists():
            console.say(f"already stored as {digest[:8]}")
        else:
            partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
            try:
                _store(partial, kept, conflicts, records, info)
            except Exception:
                shutil.rmtree(partial, ignore_errors=True)  # only what was killed is worth going on with
                raise
            shutil.rmtree(out_dir, ignore_errors=True)
            partial.replace(out_dir)
    return {**_plain(info), "path": str(out_dir)}


def _read_all(source: Source) -> tuple[pd.DataFrame, dict[str, Record]]:
    """Reads every record once; returns the facts (one row per record) and a record to read each sha256 from."""
    rows, records = [], {}
    with ThreadPoolExecutor(_THREADS) as pool:
        examined = pool.map(_examine, source.records, chunksize=64)
        for record, row in zip(
            source.records, console.progress(examined, total=len(source.records), unit="images"), strict=True
        ):
            rows.append(row)
            records[row["sha256"]] = record
    return pd.DataFrame(rows), records


def _examine(record: Record) -> dict[str, Any]:
    data = record.read()
    facts = images.inspect(data)
    return {
        "sha256": storage.bytes_sha256(data), "label": record.label, "source_split": record.source_split,
        "subject": record.subject, "source_uri": record.uri, "bytes": len(data), **facts._asdict(),
    }  # fmt: skip


def merge_duplicates(facts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes one row of all records with the same bytes.

    A row that came in the published test split stays test, wherever else it came; `copies` counts the records.

    Returns:
        The merged rows, and the records whose bytes came with different labels: they are left out of the first.
    """
    num_labels = facts.groupby("sha256")["label"].transform("nunique")
    conflicts = facts[num_labels > 1].sort_values(["sha256", "source_uri"])
    agreeing = facts[num_labels == 1]
    rank = agreeing["source_split"].map({"test": 0, "train": 1, "none": 2})
    ordered = agreeing.assign(rank=rank).sort_values(["sha256", "rank", "source_uri"]).drop(columns="rank")
    merged = ordered.drop_duplicates("sha256").reset_index(drop=True)
    copies = agreeing.groupby("sha256").size()
    return merged.assign(copies=merged["sha256"].map(copies).astype("int32")), conflicts


def stratified_sample(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Takes `limit` rows with the class and split proportions of all, chosen by their sha256.

    The choice is a function of the content alone: the same data gives the same sample.
    """
    if limit >= len(frame):
        return frame
    ordered = frame.sort_values("sha256")
    strata = ordered.groupby(["label", "source_split"])
    # Largest remainder: every stratum gets its share rounded down, the largest fractions one more.
    share = strata.size() * (limit / len(ordered))
    taken = (share // 1).astype(int)
    largest = (share - taken).sort_values(ascending=False, kind="stable").index
    taken[largest[: limit - taken.sum()]] += 1
    of_row = pd.MultiIndex.from_frame(ordered[["label", "source_split"]])
    return ordered[strata.cumcount().to_numpy() < taken.reindex(of_row).to_numpy()]


def _info(
    source: Source, config: IngestConfig, kept: pd.DataFrame, conflicts: pd.DataFrame, digest: str, *, num_records: int
) -> dict[str, Any]:
    about = datasets.find(config.dataset).ABOUT
    return {
        "dataset": config.dataset,
        "dataset_id": source.dataset_id,
        "dataset_digest": digest,
        "layout": source.layout,
        "licence": about.licence,
        "real_faces": about.real_faces,
        "classes": list(source.classes),
        "limit": config.limit,
        "num_records": num_records,
        "num_examples": len(kept),
        "num_duplicates": int((kept["copies"] - 1).sum()),
        "num_conflicting": len(conflicts),
        "num_ignored": source.num_ignored,
        "num_subjects": int(kept.loc[kept["subject"] != "", "subject"].nunique()),
        "class_counts": dict(sorted(Counter(kept["label"]).items())),
        "split_counts": dict(sorted(Counter(kept["source_split"]).items())),
    }


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """Flattens the report to what a run view can show."""
    return {
        key: ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict)
        else ", ".join(value) if isinstance(value, list) else value
        for key, value in info.items()
    }  # fmt: skip


def _store(
    partial: Path, kept: pd.DataFrame, conflicts: pd.DataFrame, records: dict[str, Record], info: dict[str, Any]
) -> None:
    ordered = kept.sort_values("sha256").reset_index(drop=True)
    located = dict(_write_shards(partial / shards.FOLDER, ordered, records))
    places = pd.DataFrame([located[sha256] for sha256 in ordered["sha256"]])
    manifest.write(pd.concat([ordered, places], axis=1), partial, manifest.INGESTED)
    conflicts[["sha256", "label", "source_split", "source_uri"]].to_csv(partial / CONFLICTS_FILE, index=False)
    storage.write_json(partial / INFO_FILE, info)
    storage.remove_partials(partial)  # files that an earlier, killed run was writing


def _write_shards(
    folder: Path, ordered: pd.DataFrame, records: dict[str, Record]
) -> Iterator[tuple[str, shards.Location]]:
    digits = shards.prefix_digits(int(ordered["bytes"].sum()))
    missing = []
    for name, group in ordered.groupby(ordered["sha256"].map(lambda sha256: shards.shard_name(sha256, digits))):
        finished = folder / str(name)
        found = shards.locations(finished) if finished.exists() else {}
        if set(found) == set(group["sha256"]):
            yield from found.items()
        else:
            missing.append(group)
    if missing:
        rows = pd.concat(missing)
        payloads = (_payload(*row, records) for row in zip(rows["sha256"], rows["format"], strict=True))
        bar = console.progress(payloads, total=len(rows), unit="images stored")
        yield from shards.write(bar, folder, digits=digits)


def _payload(sha256: str, image_format: str, records: dict[str, Record]) -> tuple[str, str, bytes]:
    data = records[sha256].read()
    if storage.bytes_sha256(data) != sha256:
        uri = records[sha256].uri
        raise ValueError(f"{uri} changed while it was read. Run again when nobody writes to the source.")
    return sha256, image_format.lower() or "bin", data

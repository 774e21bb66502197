"""Reads a data set from where it is into a content-addressed folder: manifest and tar shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from expressnet import datasets, sources
from expressnet.config.base import digest_fields
from expressnet.config.ingest import IngestConfig
from expressnet.data import deduplicate, forgotten, manifest, record_facts, shards
from expressnet.datasets.base import About, Record, Source, uri_or_default
from expressnet.imaging import fingerprint
from expressnet.runtime import code_version, console, storage

INFO_FILE = "dataset.json"
_SEEN_FOLDER = "seen"  # what buckets listed, and which data set came of it


def run(data_uri: str, store_dir: str | Path, config: IngestConfig) -> dict[str, Any]:
    """Ingests a data set; the same content again costs the reading and writes nothing.

    The output folder is `store_dir`/<dataset digest>. A run that was killed leaves its finished shards in
    `<dataset digest>.partial`, where the next one finds them. A data set that grew shares the old shards by hard links.
    What comes from an archive or a bucket lies in the folder `spool` beside `store_dir` until it is stored. A bucket
    that lists the same objects as at the last time is not read again.

    Args:
        data_uri: folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix; "" for the data set's usual place.
        store_dir: folder of all data sets of a workspace.
        config: which data set, and the limits.

    Returns:
        The report; `path` is the output folder and `dataset_digest` the digest of its content.

    Raises:
        ValueError, FileNotFoundError: the source is no copy of the data set; the message says why.
        ConnectionError: the bucket did not answer in time.
    """
    store = Path(store_dir)
    module = datasets.find(config.dataset)
    _require_licence(module.ABOUT, config)
    excluded = forgotten.read(store.parent)
    place = sources.locate(uri_or_default(data_uri, module.ABOUT), store.parent / "spool", config)
    seen = store / _SEEN_FOLDER / f"{_reading(place.version, config, excluded)}.json"
    info = storage.read_json(seen) if place.version and seen.exists() else None
    if info is None or not (store / info["dataset_digest"] / INFO_FILE).exists():
        source = module.scan(place.fetch(), config)
        info = _ingest(source, store, config, excluded) | {"source_version": place.version}
        if place.version:
            storage.write_json(seen, info)
        place.release()
    else:
        console.say(f"{place.uri} lists what it listed before; stored as {info['dataset_digest'][:8]}")
    return {**_plain(info), "path": str(store / info["dataset_digest"])}


def _require_licence(about: About, config: IngestConfig) -> None:
    if about.needs_acceptance and not config.licence_accepted:
        raise ValueError(
            f"DATASET={about.name} may be used under this licence only: {about.licence}. Say ACCEPT_LICENCE=1 if you "
            "may use it so; the run records that you did."
        )


def _reading(version: str, config: IngestConfig, excluded: frozenset[str]) -> str:
    """Returns the digest of all that decides what comes out of reading a bucket's listing."""
    return storage.json_digest([version, digest_fields(config), sorted(excluded), code_version.digest("stages.ingest")])


def _ingest(source: Source, store: Path, config: IngestConfig, excluded: frozenset[str]) -> dict[str, Any]:
    console.say(f"found {len(source.records):,} examples, layout {source.layout}")
    for finding in source.findings:
        console.say(f"{finding.kind}: {finding.count:,}")
    read, records = record_facts.read_all(source.records)
    facts = read[~read["sha256"].isin(excluded)].reset_index(drop=True)
    kept, conflicts = deduplicate.merge_duplicates(facts)
    if kept.empty:
        example = f", {conflicts['source_uri'].iloc[0]} for example" if len(conflicts) else ""
        raise ValueError(
            f"Nothing remains of {len(read):,} examples: {len(conflicts):,} came with conflicting labels{example}, and "
            f"{len(read) - len(facts):,} are to be forgotten. Is every picture in one class folder only?"
        )
    if config.limit:
        kept = deduplicate.stratified_sample(kept, config.limit)
    colours = fingerprint.mean_colours(kept.pop("colours"))
    digest = manifest.dataset_digest(kept, source.dataset_id, source.classes)
    info = _info(source, config, kept, conflicts, digest) | {
        "num_records": len(facts),
        "num_forgotten": len(read) - len(facts),
        "num_cross_split_twins": deduplicate.num_cross_split_twins(facts),
        "colours": colours,
    }
    out_dir = store / digest
    with storage.lock(store / f"{digest}.lock", wait=True):
        if (out_dir / INFO_FILE).exists():
            console.say(f"already stored as {digest[:8]}")
            if storage.read_json(out_dir / INFO_FILE) != info:
                storage.write_json(out_dir / INFO_FILE, info)  # after `forget`, which can't know all of it
        else:
            partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
            with storage.removed_on_error(partial):
                _store(partial, kept, conflicts, records, info, _predecessors(store))
            partial.replace(out_dir)
    return info


def _info(
    source: Source, config: IngestConfig, kept: pd.DataFrame, conflicts: pd.DataFrame, digest: str
) -> dict[str, Any]:
    about = datasets.find(config.dataset).ABOUT
    return {
        "dataset": config.dataset,
        "dataset_id": source.dataset_id,
        "dataset_digest": digest,
        "layout": source.layout,
        "licence": about.licence,
        "licence_accepted": config.licence_accepted or not about.needs_acceptance,
        "real_faces": about.real_faces,
        "pictures_allowed": about.pictures_allowed,
        "classes": list(source.classes),
        "label_mode": config.label_mode,
        "limit": config.limit,
        "num_conflicting": len(conflicts),
        "num_conflict_groups": int(deduplicate.content(conflicts).nunique()),
        "num_ignored": source.num_ignored,
        **deduplicate.counts(kept),
        "published_counts": {split: dict(counts) for split, counts in source.published_counts.items()},
        "findings": [dataclasses.asdict(finding) for finding in source.findings],
    }


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """Flattens the report to what a run view can show; `dataset.json` has all of it."""
    report = {key: value for key, value in info.items() if key not in ("findings", "published_counts", "colours")}
    return {
        key: ", ".join(f"{k} {v}" for k, v in value.items())
        if isinstance(value, dict)
        else ", ".join(value)
        if isinstance(value, list)
        else value
        for key, value in report.items()
    } | {"findings": "; ".join(f"{finding['kind']} {finding['count']}" for finding in info["findings"])}


def _predecessors(store: Path) -> list[Path]:
    """Returns the shard folders of all stored data sets, the latest first."""
    stored = [path.parent for path in store.glob(f"*/{INFO_FILE}") if path.parent.suffix != storage.PARTIAL_SUFFIX]
    latest_first = sorted(stored, key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path / shards.FOLDER for path in latest_first]


def _store(
    partial: Path,
    kept: pd.DataFrame,
    conflicts: pd.DataFrame,
    records: dict[str, Record],
    info: dict[str, Any],
    earlier: list[Path],
) -> None:
    ordered = kept.sort_values("sha256").reset_index(drop=True)
    formats = dict(zip(ordered["sha256"], ordered["format"], strict=True))

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        for sha256 in console.progress(keys, total=len(keys), unit="images stored"):
            yield _payload(sha256, formats[sha256], records[sha256])

    places = shards.fill(
        partial / shards.FOLDER,
        set(ordered["sha256"]),
        payloads,
        bytes_each=float(ordered["bytes"].mean()),
        earlier=earlier,
    )
    manifest.write(ordered.merge(places, on="sha256", validate="one_to_one"), partial, manifest.INGESTED)
    conflicts[["sha256", "label", "source_split", "source_uri"]].to_csv(
        partial / deduplicate.CONFLICTS_FILE, index=False
    )
    storage.write_json(partial / INFO_FILE, info)
    storage.remove_partials(partial)  # files that an earlier, killed run was writing


def _payload(sha256: str, image_format: str, record: Record) -> shards.Payload:
    data = record.read()
    if storage.bytes_sha256(data) != sha256:
        raise ValueError(f"{record.uri} changed while it was read. Run again when nobody writes to the source.")
    return shards.Payload(sha256, image_format.lower() or "bin", data)

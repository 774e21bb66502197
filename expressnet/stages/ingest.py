"""Reads a data set from where it is into a content-addressed folder: manifest and tar shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from expressnet.artifacts.dataset_info import DatasetInfo, Finding
from expressnet.artifacts.stored import Facts, Plain
from expressnet.config.base import digest_fields
from expressnet.config.ingest import IngestConfig
from expressnet.data import deduplicate, forgotten, manifest, record_facts, shards
from expressnet.datasets import catalog
from expressnet.datasets.base import About, Record, Source, uri_or_default
from expressnet.imaging import fingerprint
from expressnet.runtime import code_version, console, storage
from expressnet.sources import places

_SEEN_FOLDER = "seen"  # what buckets listed, and which data set came of it


class Ingested(Facts):
    """The report of ingest.

    Attributes:
        info: what is said of the data set.
        path: its folder.
    """

    info: DatasetInfo
    path: str

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show; the file of the data set has all of it."""
        shown = self.info.plain()
        findings = "; ".join(f"{finding.kind} {finding.count}" for finding in self.info.findings)
        left_out = ("published_counts", "colours")
        return {
            **{name: shown[name] for name in shown if name not in left_out},
            "findings": findings,
            "path": self.path,
        }


def run(data_uri: str, store_dir: str | Path, config: IngestConfig) -> Ingested:
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
        The report.

    Raises:
        ValueError, FileNotFoundError: the source is not a copy of the data set; the message says why.
        ConnectionError: the bucket did not answer in time.
    """
    store = Path(store_dir)
    module = catalog.find(config.dataset)
    _require_licence(module.ABOUT, config)
    excluded = forgotten.read(store.parent)
    place = places.locate(uri_or_default(data_uri, module.ABOUT), store.parent / "spool", config)
    seen = store / _SEEN_FOLDER / f"{_reading(place.version, config, excluded)}.json"
    info = DatasetInfo.read_file(seen) if place.version and seen.exists() else None
    if info is None or not DatasetInfo.path(store / info.dataset_digest).exists():
        source = module.scan(place.fetch(), config)
        info = _ingest(source, store, config, excluded).model_copy(update={"source_version": place.version})
        if place.version:
            storage.write_json(seen, info.as_dict())
        place.release()
    else:
        console.say(f"{place.uri} lists what it listed before; stored as {info.dataset_digest[:8]}")
    return Ingested(info=info, path=str(store / info.dataset_digest))


def _require_licence(about: About, config: IngestConfig) -> None:
    if about.needs_acceptance and not config.licence_accepted:
        raise ValueError(
            f"DATASET={about.name} may be used under this licence only: {about.licence}. Say ACCEPT_LICENCE=1 if you "
            "may use it so; the run records that you did."
        )


def _reading(version: str, config: IngestConfig, excluded: frozenset[str]) -> str:
    """Returns the digest of all that decides what comes out of reading a bucket's listing."""
    return storage.json_digest([version, digest_fields(config), sorted(excluded), code_version.digest("stages.ingest")])


def _ingest(source: Source, store: Path, config: IngestConfig, excluded: frozenset[str]) -> DatasetInfo:
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
    info = _info(source, config, kept, conflicts, digest).model_copy(
        update={
            "num_records": len(facts),
            "num_forgotten": len(read) - len(facts),
            "num_cross_split_twins": deduplicate.num_cross_split_twins(facts),
            "colours": colours,
        }
    )
    out_dir = store / digest
    with storage.lock(store / f"{digest}.lock", wait=True):
        if DatasetInfo.path(out_dir).exists():
            console.say(f"already stored as {digest[:8]}")
            if DatasetInfo.read(out_dir) != info:
                info.write(out_dir)  # after `forget`, which can't know all of it
        else:
            partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
            with storage.removed_on_error(partial):
                _store(partial, kept, conflicts, records, info, _predecessors(store))
            partial.replace(out_dir)
    return info


def _info(
    source: Source, config: IngestConfig, kept: pd.DataFrame, conflicts: pd.DataFrame, digest: str
) -> DatasetInfo:
    about = catalog.find(config.dataset).ABOUT
    return DatasetInfo(
        dataset=config.dataset,
        dataset_id=source.dataset_id,
        dataset_digest=digest,
        layout=source.layout,
        licence=about.licence,
        licence_accepted=config.licence_accepted or not about.needs_acceptance,
        real_faces=about.real_faces,
        pictures_allowed=about.pictures_allowed,
        classes=list(source.classes),
        label_mode=config.label_mode,
        limit=config.limit,
        num_conflicting=len(conflicts),
        num_conflict_groups=int(deduplicate.content(conflicts).nunique()),
        num_ignored=source.num_ignored,
        published_counts={split: dict(counts) for split, counts in source.published_counts.items()},
        findings=[Finding(**dataclasses.asdict(finding)) for finding in source.findings],
        **deduplicate.counts(kept),
    )


def _predecessors(store: Path) -> list[Path]:
    """Returns the shard folders of all stored data sets, the latest first."""
    stored = [
        path.parent for path in store.glob(f"*/{DatasetInfo.FILE}") if path.parent.suffix != storage.PARTIAL_SUFFIX
    ]
    latest_first = sorted(stored, key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path / shards.FOLDER for path in latest_first]


def _store(
    partial: Path,
    kept: pd.DataFrame,
    conflicts: pd.DataFrame,
    records: dict[str, Record],
    info: DatasetInfo,
    earlier: list[Path],
) -> None:
    ordered = kept.sort_values("sha256").reset_index(drop=True)
    formats = dict(zip(ordered["sha256"], ordered["format"], strict=True))

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        for sha256 in console.progress(keys, total=len(keys), unit="images stored"):
            yield _payload(sha256, formats[sha256], records[sha256])

    stored = shards.fill(
        partial / shards.FOLDER,
        set(ordered["sha256"]),
        payloads,
        bytes_each=float(ordered["bytes"].mean()),
        earlier=earlier,
    )
    manifest.write(ordered.merge(stored, on="sha256", validate="one_to_one"), partial, manifest.INGESTED)
    conflicts[["sha256", "label", "source_split", "source_uri"]].to_csv(
        partial / deduplicate.CONFLICTS_FILE, index=False
    )
    info.write(partial)
    storage.remove_partials(partial)  # files that an earlier, killed run was writing


def _payload(sha256: str, image_format: str, record: Record) -> shards.Payload:
    data = record.read()
    if storage.bytes_sha256(data) != sha256:
        raise ValueError(f"{record.uri} changed while it was read. Run again when nobody writes to the source.")
    return shards.Payload(sha256, image_format.lower() or "bin", data)

"""Reads a data set from where it is into a content-addressed folder: manifest and tar shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from expressnet import console, datasets, fingerprint, images, manifest, shards, storage, workers
from expressnet.config.ingest import IngestConfig
from expressnet.datasets.base import About, Record, Source

INFO_FILE = "dataset.json"
CONFLICTS_FILE = "label_conflicts.csv"
_DECODE_TIMEOUT_S = 10.0
_DECODE_MEMORY_BYTES = 4 * 2**30


def run(data_uri: str, store_dir: str | Path, config: IngestConfig) -> dict[str, Any]:
    """Ingests a data set; the same content again costs the reading and writes nothing.

    The output folder is `store_dir`/<dataset digest>. A run that was killed leaves its finished shards in
    `<dataset digest>.partial`, where the next one finds them. A data set that grew shares the old shards by hard links.

    Returns:
        The report; `path` is the output folder and `dataset_digest` the digest of its content.

    Raises:
        ValueError, FileNotFoundError: the source is no copy of the data set; the message says why.
    """
    store = Path(store_dir)
    module = datasets.find(config.dataset)
    _require_licence(module.ABOUT, config)
    info = _ingest(module.scan(data_uri), store, config)
    return {**_plain(info), "path": str(store / info["dataset_digest"])}


def _require_licence(about: About, config: IngestConfig) -> None:
    if about.needs_acceptance and not config.licence_accepted:
        raise ValueError(
            f"DATASET={about.name} may be used under this licence only: {about.licence}. Say ACCEPT_LICENCE=1 if you "
            "may use it so; the run records that you did."
        )


def _ingest(source: Source, store: Path, config: IngestConfig) -> dict[str, Any]:
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
    info = _info(source, config, kept, conflicts, digest) | {
        "num_records": len(facts), "num_cross_split_twins": num_cross_split_twins(facts)
    }  # fmt: skip
    out_dir = store / digest
    with storage.lock(store / f"{digest}.lock", wait=True):
        if (out_dir / INFO_FILE).exists():
            console.say(f"already stored as {digest[:8]}")
        else:
            partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
            with storage.removed_on_error(partial):
                _store(partial, kept, conflicts, records, info, _predecessors(store))
            partial.replace(out_dir)
    return info


def _read_all(source: Source) -> tuple[pd.DataFrame, dict[str, Record]]:
    """Reads every record once; returns the facts (one row per record) and a record to read each sha256 from."""
    rows, records = [], {}
    # A process takes longer to start than hundreds of images take to decode.
    num_workers = min(workers.num_cpus(), 1 + len(source.records) // 500)
    examined = workers.run(
        _examine, source.records, num_workers=num_workers, timeout_s=_DECODE_TIMEOUT_S,
        memory_bytes=_DECODE_MEMORY_BYTES,
    )  # fmt: skip
    bar = console.progress(examined, total=len(source.records), unit="images")
    for record, result in zip(source.records, bar, strict=True):
        if isinstance(result, workers.Failure):
            refused = images.refused(result.reason)
            result = _row(record, record.read(), refused, fingerprint.NONE)
        rows.append(result)
        records[result["sha256"]] = record
    return pd.DataFrame(rows), records


def _examine(record: Record) -> dict[str, Any]:
    """Reads and decodes one record; runs in a process of its own, because the bytes may come from anywhere."""
    data = record.read()
    facts, rgb = images.examine(data)
    return _row(record, data, facts, fingerprint.NONE if rgb is None else fingerprint.of(rgb))


def _row(record: Record, data: bytes, facts: images.Facts, seen: fingerprint.Fingerprint) -> dict[str, Any]:
    return {
        "sha256": storage.bytes_sha256(data), "label": record.label, "source_split": record.source_split,
        "subject": record.subject, "source_uri": record.uri, "bytes": len(data), "format": facts.format,
        "width": facts.width, "height": facts.height, "problem": facts.problem, **seen._asdict(),
    }  # fmt: skip


def _content(facts: pd.DataFrame) -> pd.Series:
    """Returns what makes records the same picture: their pixels, or their bytes where there are no pixels."""
    return facts["pixel_sha256"].where(facts["pixel_sha256"] != "", facts["sha256"])


def merge_duplicates(facts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes one row of all records with the same bytes.

    A row that came in the published test split stays test, wherever else it came; `copies` counts the records.

    Returns:
        The merged rows, and the records whose pixels came with different labels: they are left out of the first.
    """
    num_labels = facts.groupby(_content(facts))["label"].transform("nunique")
    conflicts = facts[num_labels > 1].sort_values(["sha256", "source_uri"])
    agreeing = facts[num_labels == 1]
    rank = agreeing["source_split"].map({"test": 0, "train": 1, "none": 2})
    ordered = agreeing.assign(rank=rank).sort_values(["sha256", "rank", "source_uri"]).drop(columns="rank")
    merged = ordered.drop_duplicates("sha256").reset_index(drop=True)
    copies = agreeing.groupby("sha256").size()
    return merged.assign(copies=merged["sha256"].map(copies).astype("int32")), conflicts


def num_cross_split_twins(facts: pd.DataFrame) -> int:
    """Counts the records of the published test split that have a pixel-identical twin in the published train split."""
    content, split = _content(facts), facts["source_split"]
    return int(content[split == "test"].isin(content[split == "train"]).sum())


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
        "limit": config.limit,
        "num_examples": len(kept),
        "num_duplicates": int((kept["copies"] - 1).sum()),
        "num_conflicting": len(conflicts),
        "num_conflict_groups": int(_content(conflicts).nunique()),
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


def _predecessors(store: Path) -> list[Path]:
    """Returns the shard folders of all stored data sets, the latest first."""
    stored = [path.parent for path in store.glob(f"*/{INFO_FILE}") if path.parent.suffix != storage.PARTIAL_SUFFIX]
    latest_first = sorted(stored, key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path / shards.FOLDER for path in latest_first]


def _store(
    partial: Path, kept: pd.DataFrame, conflicts: pd.DataFrame, records: dict[str, Record], info: dict[str, Any],
    earlier: list[Path],
) -> None:  # fmt: skip
    ordered = kept.sort_values("sha256").reset_index(drop=True)
    formats = dict(zip(ordered["sha256"], ordered["format"], strict=True))

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        for sha256 in console.progress(keys, total=len(keys), unit="images stored"):
            yield _payload(sha256, formats[sha256], records[sha256])

    places = shards.fill(
        partial / shards.FOLDER, set(ordered["sha256"]), payloads, bytes_each=float(ordered["bytes"].mean()),
        earlier=earlier,
    )  # fmt: skip
    manifest.write(ordered.merge(places, on="sha256", validate="one_to_one"), partial, manifest.INGESTED)
    conflicts[["sha256", "label", "source_split", "source_uri"]].to_csv(partial / CONFLICTS_FILE, index=False)
    storage.write_json(partial / INFO_FILE, info)
    storage.remove_partials(partial)  # files that an earlier, killed run was writing


def _payload(sha256: str, image_format: str, record: Record) -> shards.Payload:
    data = record.read()
    if storage.bytes_sha256(data) != sha256:
        raise ValueError(f"{record.uri} changed while it was read. Run again when nobody writes to the source.")
    return shards.Payload(sha256, image_format.lower() or "bin", data)

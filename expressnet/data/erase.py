"""Shards, data sets, crops, tables and texts without some of their examples."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expressnet.artifacts.crops_info import ErasedCrops
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.data import deduplicate, manifest, shards
from expressnet.runtime import console, storage

_TEXT = (".csv", ".json", ".html", ".log", ".md", ".txt", "")  # Kubeflow gives pages no ending
_BY_LINE = (".csv", ".log", ".md", ".txt")
_HASH = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_HEADER_BYTES, _NAME_BYTES = 512, 100  # of a tar member


def found_in(path: Path, hashes: frozenset[str]) -> frozenset[str]:
    """Returns which of the hashes a file has: a table in its column sha256, a text anywhere, others nowhere."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False) as file:
            if "sha256" not in file.schema_arrow.names:
                return frozenset()
            columns = (batch["sha256"].cast(pa.string()) for batch in file.iter_batches(columns=["sha256"]))
            return frozenset(key for column in columns for key in column.filter(_is_in(column, hashes)).to_pylist())
    if path.suffix not in _TEXT:
        return frozenset()
    return hashes & {found.decode() for found in _HASH.findall(path.read_bytes())}


def _is_in(column: Any, hashes: frozenset[str]) -> Any:
    return pc.is_in(column, pa.array(sorted(hashes), pa.string()))


def remove(folder: Path) -> None:
    """Deletes a folder; if we are killed, what is left of it is a remnant like any other."""
    doomed = folder.with_name(folder.name + storage.PARTIAL_SUFFIX)
    folder.replace(doomed)
    shutil.rmtree(doomed)


def clean_file(path: Path, hashes: frozenset[str]) -> None:
    """Takes the rows or lines with the hashes out of a table or text; a page or JSON is deleted."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        buffer = pa.BufferOutputStream()
        pq.write_table(table.filter(pc.invert(_is_in(table["sha256"].cast(pa.string()), hashes))), buffer)
        storage.write_bytes(path, buffer.getvalue().to_pybytes())
    elif path.suffix in _BY_LINE:
        lines = path.read_bytes().splitlines(keepends=True)
        storage.write_bytes(path, b"".join(line for line in lines if not _has_any(line, hashes)))
    else:
        path.unlink()


def _has_any(line: bytes, hashes: frozenset[str]) -> bool:
    return any(found.decode() in hashes for found in _HASH.findall(line))


def crops(folder: Path, hashes: frozenset[str]) -> None:
    """Leaves of crops only the shards, under a name that stands for no data set.

    The next crop with the same settings links these shards, so that it cuts nothing again, and says anew what is in
    them.
    """
    with storage.lock(folder.with_name(f"{folder.name}.lock"), wait=True):
        kept = folder.with_name(f"{folder.name.split('-')[0]}-{uuid.uuid4().hex[:16]}")
        folder.replace(kept)
        if _fill_without(kept / shards.FOLDER, kept / shards.FOLDER, hashes).empty:
            remove(kept)
            return
        ErasedCrops().write(kept)
        for path in kept.iterdir():
            if path.is_dir() and path.name != shards.FOLDER:
                shutil.rmtree(path)
            elif path.is_file() and path.name != ErasedCrops.FILE:
                path.unlink()


def _fill_without(source: Path, target: Path, hashes: frozenset[str]) -> pd.DataFrame:
    """Makes the folder `target` (which may be `source`) hold the other records of `source`; returns their index."""
    indices = [shards.index(source, path.name) for path in sorted(source.glob("*.tar"))]
    index = (pd.concat(indices) if indices else pd.DataFrame(columns=["sha256"])).set_index("sha256")
    index = index[~index.index.isin(hashes)]
    if index.empty:
        return index
    reader = shards.Reader(source.parent)

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        for key, row in zip(keys, index.loc[keys].to_dict("records"), strict=True):
            facts = {str(name): value for name, value in row.items()}
            place = shards.Location(*(facts.pop(name) for name in shards.Location._fields))
            header = reader.read(shards.Location(place.shard, place.offset - _HEADER_BYTES, _HEADER_BYTES))
            extension = header[:_NAME_BYTES].rstrip(b"\0").decode().rpartition(".")[2]
            yield shards.Payload(key, extension, reader.read(place), facts)

    filled = shards.fill(target, set(index.index), payloads, bytes_each=float(index["size"].mean()), earlier=[source])
    reader.close()
    for path in target.glob("*.parquet"):
        if not path.with_suffix(".tar").exists():
            path.unlink()  # of a shard whose deletion was cut off
    return filled


def dataset(folder: Path, hashes: frozenset[str]) -> None:
    """Puts the data set without the examples in the place of one with them."""
    with storage.lock(folder.with_name(f"{folder.name}.lock"), wait=True):
        if not found_in(folder / manifest.FILE_NAME, hashes):
            return  # only its list of conflicts names one
        try:
            frame = manifest.read(folder)
        except ValueError as error:  # of another version: no code can go on with it
            console.say(f"{error} It is deleted whole.")
        else:
            kept = frame[~frame["sha256"].isin(hashes)]
            if not kept.empty:
                _store(folder, frame, kept, hashes)
        remove(folder)


def _store(folder: Path, frame: pd.DataFrame, kept: pd.DataFrame, hashes: frozenset[str]) -> None:
    info = DatasetInfo.read(folder)
    # The digest that ingest gives it too, which so finds it stored.
    digest = manifest.dataset_digest(kept, info.dataset_id, info.classes)
    out_dir = folder.with_name(digest)
    if out_dir.exists():
        return
    partial = out_dir.with_name(out_dir.name + storage.PARTIAL_SUFFIX)
    with storage.removed_on_error(partial):
        places = _fill_without(folder / shards.FOLDER, partial / shards.FOLDER, hashes)
        columns = list(shards.Location._fields)
        merged = kept.drop(columns=columns).merge(places[["sha256", *columns]], on="sha256", validate="one_to_one")
        manifest.write(merged, partial, manifest.INGESTED)
        shutil.copyfile(folder / deduplicate.CONFLICTS_FILE, partial / deduplicate.CONFLICTS_FILE)
        clean_file(partial / deduplicate.CONFLICTS_FILE, hashes)
        _info(info, frame, kept).model_copy(update={"dataset_digest": digest}).write(partial)
    partial.replace(out_dir)


def _info(info: DatasetInfo, frame: pd.DataFrame, kept: pd.DataFrame) -> DatasetInfo:
    """Returns what is said of the data set without the examples; what only the source can tell stays as it was."""
    gone = frame[~frame["sha256"].isin(kept["sha256"])]
    num_records = int(gone["copies"].sum())
    places = set(gone["source_uri"])
    findings = [
        finding.model_copy(update={"examples": [place for place in finding.examples if place not in places]})
        for finding in info.findings
    ]
    changed = {
        "num_records": info.num_records - num_records,
        "num_forgotten": info.num_forgotten + num_records,
        **deduplicate.counts(kept),
        "findings": findings,
        "colours": [],  # their part in the mean can't be taken out
    }
    return info.model_copy(update=changed)

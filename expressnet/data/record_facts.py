"""Reads and decodes every record of a source once, in processes with limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from expressnet.datasets.base import Record
from expressnet.imaging import codec, fingerprint
from expressnet.runtime import console, storage, worker_process, workers

_TIMEOUT_S = 10.0
_MEMORY_BYTES = 4 * 2**30
_IMAGES_EACH = 250  # a process takes longer to start than so many take to decode
_ROWS_AT_ONCE = 50_000  # as Python objects; a frame holds them in a fifth of the memory


def read_all(records: Sequence[Record]) -> tuple[pd.DataFrame, dict[str, Record]]:
    """Reads every record once.

    Returns:
        The facts, one row per record with the columns of the manifest but `copies` and the place in a shard, and with
        `colours` (see expressnet.imaging.fingerprint); and a record to read each sha256 from.
    """
    frames: list[pd.DataFrame] = []
    rows: list[dict[str, Any]] = []
    by_sha256: dict[str, Record] = {}
    num_workers = workers.useful(len(records), each=_IMAGES_EACH)
    examined = workers.run(
        _examine,
        records,
        num_workers=num_workers,
        start=worker_process.silence,
        timeout_s=_TIMEOUT_S,
        memory_bytes=_MEMORY_BYTES,
    )
    bar = console.progress(examined, total=len(records), unit="images")
    for record, result in zip(records, bar, strict=True):
        if isinstance(result, workers.Failure):
            result = _row(record, record.read(), codec.refused(result.reason), None)
        rows.append(result)
        by_sha256.setdefault(result["sha256"], record)
        if len(rows) == _ROWS_AT_ONCE:
            frames.append(pd.DataFrame(rows))
            rows = []
    frames += [pd.DataFrame(rows)] if rows else []
    return pd.concat(frames, ignore_index=True), by_sha256


def _examine(record: Record) -> dict[str, Any]:
    """Reads and decodes one record; runs in a process of its own, because the bytes may come from anywhere."""
    data = record.read()
    facts, rgb = codec.examine(data)
    return _row(record, data, facts, rgb)


def _row(record: Record, data: bytes, facts: codec.Facts, rgb: np.ndarray | None) -> dict[str, Any]:
    seen = fingerprint.NONE if rgb is None else fingerprint.of(rgb)
    return {
        "sha256": storage.bytes_sha256(data),
        "label": record.label,
        "source_split": record.source_split,
        "subject": record.subject,
        "source_uri": record.uri,
        "generation": record.generation,
        "given_box_xyxy": _given_box(record, facts) or (),
        "target": record.target,
        "attributes": json.dumps(record.attributes, sort_keys=True) if record.attributes else "",
        "bytes": len(data),
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "problem": facts.problem,
        **seen._asdict(),
        "colours": b"" if rgb is None else fingerprint.colours(rgb),
    }


def _given_box(record: Record, facts: codec.Facts) -> codec.Box | None:
    """Returns the source's own box, pixels of the upright image."""
    if record.given_box_shares is None:
        return codec.upright_box(record.given_box_xyxy, facts)
    left, top, right, bottom = record.given_box_shares
    width, height = facts.width, facts.height
    box = round(left * width), round(top * height), round(right * width), round(bottom * height)
    return box if box[0] < box[2] and box[1] < box[3] else None

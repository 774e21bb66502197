"""What one example is, and how a list of examples is read, written and digested.

A manifest is a parquet file with one row per example, sorted by `sha256`, the primary key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from expressnet.runtime import storage

SCHEMA_VERSION = "3"
FILE_NAME = "manifest.parquet"
_VERSION_KEY = "expressnet_manifest_version"
METADATA = {_VERSION_KEY: SCHEMA_VERSION}  # of the parquet file
CELL_END = "\x1f"  # between the cells of a row that is digested

# Filled by ingest.
INGEST_FIELDS = [
    pa.field("sha256", pa.string(), nullable=False),  # of the original bytes, lower-case hex
    pa.field("label", pa.string(), nullable=False),  # a class of expressnet.datasets.labels
    pa.field("source_split", pa.string(), nullable=False),  # as published: train, test or none
    pa.field("subject", pa.string(), nullable=False),  # "" where unknown
    pa.field("source_uri", pa.string(), nullable=False),  # where it came from, for messages to people
    pa.field("generation", pa.string(), nullable=False),  # of the object in a bucket, "" elsewhere
    # Lists of free length, because pyarrow can't read a column of fixed ones that are all missing.
    pa.field("given_box_xyxy", pa.list_(pa.int32()), nullable=False),  # the source's own face box, empty: none
    pa.field("target", pa.list_(pa.float32()), nullable=False),  # probability of every class, empty: the label's is 1
    pa.field("attributes", pa.string(), nullable=False),  # JSON of what else the source says (gender, age), or ""
    pa.field("copies", pa.int32(), nullable=False),  # how often the same bytes came
    pa.field("bytes", pa.int64(), nullable=False),
    pa.field("format", pa.string(), nullable=False),  # Pillow's name, "" if it is not an image
    pa.field("width", pa.int32(), nullable=False),  # pixels, upright; 0 if it is not an image
    pa.field("height", pa.int32(), nullable=False),
    pa.field("problem", pa.string(), nullable=False),  # why it can't be decoded, "" if it can
    pa.field("pixel_sha256", pa.string(), nullable=False),  # of the upright RGB pixels; "" if it is not an image
    pa.field("phash", pa.string(), nullable=False),  # see expressnet.imaging.fingerprint; "" if it is not an image
    pa.field("brightness", pa.float32(), nullable=False),  # mean of the gray image, 0..255
    pa.field("contrast", pa.float32(), nullable=False),  # its standard deviation; 0: one constant colour
    pa.field("sharpness", pa.float32(), nullable=False),  # see expressnet.imaging.fingerprint
    pa.field("shard", pa.string(), nullable=False),  # file name in the folder `shards`
    pa.field("offset", pa.int64(), nullable=False),  # of the payload in the shard, bytes
    pa.field("size", pa.int64(), nullable=False),  # of the payload, bytes
]
# Added by crop.
CROP_FIELDS = [
    pa.field("face_found", pa.bool_(), nullable=False),
    pa.field("num_faces", pa.int32(), nullable=False),
    pa.field("score", pa.float32(), nullable=False),  # of the chosen face, 0..1; 0 where none
    pa.field("box_xyxy", pa.list_(pa.int32(), 4), nullable=False),  # the square cut out, pixels, may leave the image
    pa.field("angle_deg", pa.float32(), nullable=False),  # by which the square is turned around its centre
    pa.field("face_width", pa.float32(), nullable=False),  # of the detected face, pixels; 0 where none
    pa.field("yaw", pa.float32(), nullable=False),  # the nose between the eyes, -1..1 from the keypoints; 0 where none
]
# Added by split.
SPLIT_FIELDS = [pa.field("split", pa.string(), nullable=False)]  # train, val, test or dropped

INGESTED = pa.schema(INGEST_FIELDS)
CROPPED = pa.schema(INGEST_FIELDS + CROP_FIELDS)
SPLIT = pa.schema(INGEST_FIELDS + CROP_FIELDS + SPLIT_FIELDS)


def write(frame: pd.DataFrame, folder: Path, schema: pa.Schema) -> None:
    """Writes `frame` as the manifest of `folder`, sorted by sha256.

    Raises:
        ValueError: a column is missing or unknown, or a sha256 stands twice.
    """
    expected, found = set(schema.names), set(frame.columns)
    if expected != found:
        raise ValueError(f"Manifest columns: missing {sorted(expected - found)}, unknown {sorted(found - expected)}.")
    if frame["sha256"].duplicated().any():
        twice = frame["sha256"][frame["sha256"].duplicated()].iloc[0]
        raise ValueError(f"sha256 is the primary key of a manifest, but {twice} stands twice.")
    ordered = frame.sort_values("sha256")[schema.names]
    table = pa.Table.from_pandas(ordered, schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(METADATA), folder / FILE_NAME)


def read(folder: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads the manifest of `folder`, or only some columns of it.

    Raises:
        FileNotFoundError: the folder has no manifest.
        ValueError: it was written by another version of the schema.
    """
    path = path_in(folder)
    table = pq.read_table(path, columns=list(columns) if columns else None)
    require_version(table.schema, path)
    return table.to_pandas()


def path_in(folder: str | Path) -> Path:
    """Returns the manifest of `folder`.

    Raises:
        FileNotFoundError: the folder has no manifest.
    """
    path = Path(folder) / FILE_NAME
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no {FILE_NAME}; is it the output of another stage?")
    return path


def require_version(schema: pa.Schema, path: Path) -> None:
    """Checks that a manifest was written by this version.

    Raises:
        ValueError: it was written by another version of the schema.
    """
    version = (schema.metadata or {}).get(_VERSION_KEY.encode(), b"none").decode()
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has manifest version {version}; this code reads version {SCHEMA_VERSION}.")


def digest(frame: pd.DataFrame, columns: tuple[str, ...]) -> str:
    """Returns the SHA-256 of `columns` over the rows in the order of sha256.

    Where the bytes lie (path, shard, offset) is not part of what they are, so it is left out by the callers.
    """
    ordered = frame.sort_values("sha256")
    rows = zip(*(ordered[column] for column in columns), strict=True)
    return digest_of_lines((CELL_END.join(map(_spelled, row)) + "\n" for row in rows), columns)


def digest_of_lines(parts: Iterable[str], columns: tuple[str, ...]) -> str:
    """Returns `digest` of rows that are text already, one or many in a part: cells joined by CELL_END, a line each."""
    hasher = hashlib.sha256(f"expressnet-manifest-{SCHEMA_VERSION}:{','.join(columns)}\n".encode())
    for part in parts:
        hasher.update(part.encode())
    return hasher.hexdigest()


def dataset_digest(frame: pd.DataFrame, dataset_id: str, classes: Sequence[str]) -> str:
    """Returns the digest that names a data set: of its rows, where its labels come from, and its classes."""
    return storage.json_digest([dataset_id, list(classes), digest(frame, DATASET_COLUMNS)])


def _spelled(value: Any) -> str:
    """Returns a cell as text, lists the same before they are written and after they are read."""
    is_list = isinstance(value, (tuple, list, np.ndarray))
    return str(np.asarray(value, np.float32).tolist()) if is_list else str(value)


DATASET_COLUMNS = (
    "sha256",
    "label",
    "source_split",
    "subject",
    "given_box_xyxy",
    "target",
    "attributes",
    "copies",
    "bytes",
    "format",
    "width",
    "height",
    "problem",
)
SPLIT_COLUMNS = ("sha256", "label", "split")


def class_indices(frame: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Returns int64[rows], the place of every row's label in `classes`."""
    return frame["label"].map({name: place for place, name in enumerate(classes)}).to_numpy(np.int64)


def targets(frame: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Returns float32[rows, classes], what training aims at: the row's own probabilities, or 1 for its label."""
    aims = np.eye(len(classes), dtype=np.float32)[class_indices(frame, classes)]
    given = frame["target"].map(len).to_numpy() > 0
    if given.any():
        aims[given] = np.array(frame.loc[given, "target"].tolist(), np.float32)
    return aims


def subjects_or_self(frame: pd.DataFrame) -> pd.Series:
    """Returns what must stay together, row by row: the subject, or the row's own sha256 where none is known."""
    return frame["subject"].where(frame["subject"] != "", frame["sha256"])

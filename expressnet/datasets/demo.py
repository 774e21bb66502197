"""The embedded demo set: rendered faces of invented people (see data/demo/DATASHEET.md)."""

from __future__ import annotations

import csv
from pathlib import Path

from expressnet import labels
from expressnet.datasets.base import About, Record, Source, existing_path

ABOUT = About(
    name="demo",
    title="embedded synthetic faces; no download, no licence to accept",
    licence="CC0-1.0; says nothing about real faces",
    layouts=("labels.csv (file,label,subject) beside the folder images",),
    real_faces=False,
    needs_acceptance=False,
    pictures_allowed=True,
    default_uri=str(Path(__file__).parents[2] / "data" / "demo"),
)


def scan(data_uri: str) -> Source:
    """Lists the demo faces.

    Raises:
        ValueError: labels.csv has other columns or an unknown label.
        FileNotFoundError: the folder or a picture is missing.
    """
    root = existing_path(data_uri, ABOUT)
    table = root / "labels.csv"
    if not table.exists():
        raise FileNotFoundError(f"{root} holds no labels.csv. Expected {ABOUT.layouts[0]}.")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or set(rows[0]) != {"file", "label", "subject"}:
        raise ValueError(f"{table} must have the columns file,label,subject and at least one row.")
    records = [_record(root, row, line) for line, row in enumerate(rows, start=2)]
    return Source(dataset_id="demo", layout="labels.csv", classes=labels.CLASSES_7, records=records)


def _record(root: Path, row: dict[str, str], line: int) -> Record:
    if None in row.values():
        raise ValueError(f"labels.csv line {line} is cut off: expected file,label,subject; got {row}.")
    if row["label"] not in labels.CLASSES_7:
        raise ValueError(f"labels.csv line {line}: label must be one of {labels.CLASSES_7}; got {row['label']!r}.")
    path = root / row["file"]
    if not path.is_file():
        raise FileNotFoundError(f"labels.csv line {line} names {row['file']}, but {path} is no file.")
    return Record(
        uri=row["file"], label=row["label"], source_split="none", subject=row["subject"], read=path.read_bytes
    )

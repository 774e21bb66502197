"""The embedded demo set: rendered faces of invented people (see data/demo/DATASHEET.md)."""

from __future__ import annotations

from pathlib import Path

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import labels
from expressnet.datasets.base import About, Record, Source, read_csv, refusal
from expressnet.sources.base import Tree

ABOUT = About(
    name="demo",
    title="the embedded demo set of synthetic faces",
    licence="CC0-1.0; says nothing about real faces",
    layouts=("labels.csv (file,label,subject) beside the folder images",),
    expected="1,050 images, 150 of each of 7 classes; no published split",
    real_faces=False,
    needs_acceptance=False,
    pictures_allowed=True,
    default_uri=str(Path(__file__).parents[2] / "data" / "demo"),
)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Lists the demo faces.

    Raises:
        ValueError: labels.csv is missing, has other columns or an unknown label, or a picture is missing.
    """
    if "labels.csv" not in tree.by_path:
        raise refusal(tree, ABOUT)
    rows = read_csv(tree.by_path["labels.csv"], ABOUT)
    if not rows or set(rows[0]) != {"file", "label", "subject"}:
        raise ValueError(f"{tree.uri}/labels.csv must have the columns file,label,subject and at least one row.")
    records = [_record(tree, row, line) for line, row in enumerate(rows, start=2)]
    return Source(dataset_id="demo", layout="labels.csv", classes=labels.CLASSES_7, records=records)


def _record(tree: Tree, row: dict[str, str], line: int) -> Record:
    if row["label"] not in labels.CLASSES_7:
        raise ValueError(f"labels.csv line {line}: label must be one of {labels.CLASSES_7}; got {row['label']!r}.")
    if row["file"] not in tree.by_path:
        raise ValueError(f"labels.csv line {line} names {row['file']}, but {tree.uri} holds no such file.")
    file = tree.by_path[row["file"]]
    return Record.of_file(file, label=row["label"], source_split="none", subject=row["subject"])

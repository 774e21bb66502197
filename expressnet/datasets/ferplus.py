"""FER+: the pictures of FER-2013 with ten votes each (Barsoum et al., 2016, arXiv:1608.01041)."""

from __future__ import annotations

import dataclasses

import numpy as np

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import fer2013, labels
from expressnet.datasets.base import About, Findings, Record, Source, read_csv, refusal, unwrapped
from expressnet.sources.base import Tree

VOTES_NAME = "fer2013new.csv"
# As the columns of the table spell them.
_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
_NUM_EMOTIONS = 8  # the last two columns are no expression
EMOTIONS = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")
_ORDER = [EMOTIONS.index(name) for name in labels.CLASSES_8]

ABOUT = About(
    name="ferplus",
    title="FER+, the votes of ten people on FER-2013, 8 classes",
    licence="votes MIT; the pictures of FER-2013 for research (ICML 2013 challenge); bring your own copy",
    layouts=(
        "fer2013new.csv (Usage,Image name,neutral,...,NF) beside fer2013.csv",
        "fer2013new.csv beside icml_face_data.csv",
    ),
    expected="35,887 rows of votes; majority keeps about 35,000",
)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Joins votes and pictures by the order of the rows; the names of the images drift and are not used.

    `majority`: the class with the most votes; rows are left out and counted whose most voted is unknown or NF (no
    face), or shared by two. `probability`: the shares of the eight classes among themselves; rows are left out where
    the most voted is unknown or NF, or a draw for the class to count them by; their label is the most voted.

    Raises:
        ValueError: a table is missing, or the two do not belong together.
    """
    inner = unwrapped(tree)
    table = fer2013.find_csv(inner)
    if VOTES_NAME not in inner.by_path or table is None:
        raise refusal(tree, ABOUT, _hint(inner))
    rows = read_csv(inner.by_path[VOTES_NAME], ABOUT)
    if not rows or not {"Usage", *_COLUMNS} <= set(rows[0]):
        raise ValueError(f"{VOTES_NAME} must have the columns Usage,Image name,{','.join(_COLUMNS)} and rows.")
    findings = Findings()
    pictures = fer2013.scan_csv(table, findings)
    if len(rows) != len(pictures):
        raise ValueError(
            f"{VOTES_NAME} has {len(rows):,} rows, {table.path} {len(pictures):,}; the votes belong to the pictures by "
            "the order of the rows, so both must be whole."
        )
    joined = [_joined(*pair, place, config, findings) for place, pair in enumerate(zip(rows, pictures, strict=True), 1)]
    return Source(
        dataset_id=f"ferplus@{config.label_mode}",
        layout=f"{VOTES_NAME} beside {table.path}",
        classes=labels.CLASSES_8,
        records=[record for record in joined if record is not None],
        findings=findings.all(),
        num_ignored=tree.num_ignored,
    )


def _hint(tree: Tree) -> str:
    """Returns what it probably is: a set that is sold under this name is RAF-DB."""
    names = {file.path.rsplit("/", 1)[-1] for file in tree.files}
    if any(name.endswith("_aligned.jpg") for name in names) or {"train_labels.csv", "test_labels.csv"} <= names:
        return "These are the file names of RAF-DB, which circulates under this name; use DATASET=rafdb."
    return f"{VOTES_NAME} holds the votes only; put FER-2013's csv beside it."


def _joined(
    row: dict[str, str], picture: Record, place: int, config: IngestConfig, findings: Findings
) -> Record | None:
    usage = row["Usage"]
    if fer2013.USAGES.get(usage) != picture.source_split:
        raise ValueError(
            f"{VOTES_NAME} row {place} has the Usage {usage!r}, its picture ({picture.uri}) is of the split "
            f"{picture.source_split}. Were rows removed from or sorted in one of the two?"
        )
    votes = _votes(row, place)
    most = np.flatnonzero(votes == votes.max())
    if not votes.any():
        findings.add("rows without a vote", picture.uri)
    elif len(most) > 1:
        findings.add("rows whose most votes are a draw", picture.uri)
    elif most[0] >= _NUM_EMOTIONS:
        findings.add(f"rows whose most votes are for {_COLUMNS[most[0]]}", picture.uri)
    else:
        shares = votes[_ORDER] / votes[:_NUM_EMOTIONS].sum()
        target = tuple(map(float, shares)) if config.label_mode == "probability" else ()
        return dataclasses.replace(picture, label=EMOTIONS[most[0]], target=target)
    return None


def _votes(row: dict[str, str], place: int) -> np.ndarray:
    values = [row[name] for name in _COLUMNS]
    if not all(value.isdigit() for value in values):
        raise ValueError(f"{VOTES_NAME} row {place}: votes must be whole numbers; got {values}.")
    return np.array(values, dtype=np.int64)

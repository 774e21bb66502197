"""What a model says about files, as a table; and how much of it is there when a run was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from expressnet.inference import bundle
from expressnet.inference.photograph import Seen
from expressnet.runtime import storage

FILE_NAME = "predictions.parquet"
_ABOUT_KEY = b"expressnet"
_GATES = pa.list_(pa.float32())

# One row per content. Where there is a problem, everything but the first two is missing.
CONTENT = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),  # "" where the file can't be read, or is to be forgotten
        pa.field("problem", pa.string(), nullable=False),  # why there is no answer, "" if there is one
        pa.field("width", pa.int32()),  # of the image, pixels, upright
        pa.field("height", pa.int32()),
        pa.field("face_found", pa.bool_()),  # if not, the whole image was predicted
        pa.field("num_faces", pa.int32()),  # seen in the image; one of them was predicted
        pa.field("score", pa.float32()),  # of the detection, 0..1; 0 where none
        pa.field("box_xyxy", pa.list_(pa.int32())),  # the square that was predicted, pixels, may leave the image
        pa.field("angle_deg", pa.float32()),  # by which it is turned around its centre
        pa.field("face_width", pa.float32()),  # of the detected face, pixels; 0 where none
        pa.field("yaw", pa.float32()),  # see expressnet.faces.cropper
        pa.field("class", pa.string()),  # of the largest probability
        pa.field("probabilities", pa.list_(pa.float32())),  # in the order of the classes, which the metadata name
        pa.field("entropy", pa.float32()),  # of the probabilities, nats; 0: certain
        pa.field("expression_gates", _GATES),  # see expressnet.inference.bundle.Prediction
        pa.field("cnn_gates", _GATES),
    ]
)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Returns the entropy of every row of float[n, classes], nats; from 0 (certain) to log(classes)."""
    positive = np.where(probabilities > 0, probabilities, 1.0)
    return -(positive * np.log(positive)).sum(axis=1)


def rows(seen: Sequence[Seen], model: bundle.Bundle) -> list[dict[str, Any]]:
    """Predicts files that were looked at, all together.

    Args:
        seen: with a square or a problem each.
        model: that takes squares of their size.

    Returns:
        One row each, in the same order, with the columns of CONTENT that are known.
    """
    found: list[dict[str, Any]] = [{"sha256": one.sha256, "problem": one.problem, **one.facts} for one in seen]
    with_square = [place for place, one in enumerate(seen) if one.square is not None]
    if not with_square:
        return found
    squares = np.stack([square for one in seen if (square := one.square) is not None])
    prediction = model.predict(squares)
    answers = zip(with_square, *prediction, entropy(prediction.probabilities), strict=True)
    for place, probabilities, expression_gates, cnn_gates, nats in answers:
        found[place] |= {
            "class": model.classes[int(probabilities.argmax())],
            "probabilities": probabilities,
            "entropy": nats,
            "expression_gates": expression_gates,
            "cnn_gates": cnn_gates,
        }
    return found


class Chunks:
    """Rows that were predicted so far, a file for some hundred of them, each whole or not there.

    Attributes:
        folder: made if it is missing.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._number = len(self._paths())

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.parquet"))

    def add(self, found: Sequence[dict[str, Any]]) -> None:
        """Stores rows."""
        buffer = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(list(found), schema=CONTENT), buffer)
        storage.write_bytes(self.folder / f"{self._number:07d}.parquet", buffer.getvalue().to_pybytes())
        self._number += 1

    def read(self) -> pa.Table:
        """Returns all rows."""
        return read_content(self._paths())


def read_content(paths: Iterable[Path]) -> pa.Table:
    """Reads the columns of CONTENT from chunks or finished tables."""
    tables = [pq.read_table(path, columns=CONTENT.names).replace_schema_metadata(None) for path in paths]
    return pa.concat_tables([CONTENT.empty_table(), *tables])


def of_files(files: Sequence[str], seen: Sequence[tuple[str, str]], content: pa.Table) -> pa.Table:
    """Returns one row per file: its path in the source, and what `content` says of its bytes.

    Args:
        files: paths.
        seen: SHA-256 and problem of each; the problem matters where there is no SHA-256.
        content: with a row for every SHA-256.
    """
    nameless = sorted({problem for sha256, problem in seen if not sha256})
    known = pa.concat_tables(
        [content, pa.Table.from_pylist([{"sha256": "", "problem": problem} for problem in nameless], schema=CONTENT)]
    )
    keys = zip(known["sha256"].to_pylist(), known["problem"].to_pylist(), strict=True)
    places = {sha256 or problem: place for place, (sha256, problem) in enumerate(keys)}
    taken = known.take([places[sha256 or problem] for sha256, problem in seen])
    return taken.add_column(0, pa.field("file", pa.string(), nullable=False), pa.array(files, pa.string()))


def write(table: pa.Table, path: Path, about: dict[str, Any]) -> None:
    """Writes the finished table, with what there is to know about it as JSON in its metadata."""
    pq.write_table(table.replace_schema_metadata({_ABOUT_KEY: json.dumps(about)}), path)


def about(path: Path) -> dict[str, Any]:
    """Returns what a finished table says about itself: the classes in their order, the model, the digests."""
    found: dict[str, Any] = json.loads(pq.read_schema(path).metadata[_ABOUT_KEY])
    return found

"""What cropping found, for people: how many faces, of which size, in which classes, and whether both models agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from expressnet.data import manifest, shards
from expressnet.imaging import codec
from expressnet.report import html
from expressnet.runtime import console, storage

FILE_NAME = "report.html"
_FACTS = (
    "mode",
    "detector",
    "size_px",
    "num_examples",
    "num_left_out",
    "num_faces_found",
    "face_rate",
    "several_faces_rate",
    "num_compared",
    "short_range_rate",
    "full_range_rate",
    "agreement",
    "crops_digest",
)
_PER_SHEET, _COLUMNS = 24, 8
_THUMB_PX = 96


def write(folder: Path, crops: dict[str, Any], *, pictures: bool) -> None:
    """Writes the page of crops, unless it is there already just so.

    Args:
        folder: of the crops, with their manifest.
        crops: the report, as crops.json has it.
        pictures: whether crops are shown, which the data set's licence must allow as well.
    """
    rows = manifest.read(folder)
    body = _figures(rows, crops) + (_pictures(folder, rows, crops["dataset"]) if pictures else "")
    page = html.page(f"Crops of {crops['dataset']['dataset']}", body)
    path = folder / FILE_NAME
    if not path.exists() or path.read_text() != page:
        storage.write_bytes(path, page.encode())


def _figures(rows: pd.DataFrame, crops: dict[str, Any]) -> str:
    facts = [(name.replace("_", " "), crops[name]) for name in _FACTS if name in crops]
    found = rows[rows["face_found"]]
    widths = found["face_width"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]) if len(found) else pd.Series(dtype=float)
    below = [(f"{share:.0%}", round(width_px)) for share, width_px in widths.items()]
    compared = "One photograph in sixteen is shown to both models; they agree where both find a face or neither does."
    sections = (
        html.section("Crops", html.table(("", ""), facts), html.paragraph(compared, "soft")),
        html.section("By class", _rates(rows, "label")),
        html.section("By published split", _rates(rows, "source_split")),
        html.section(
            "Width of the faces",
            html.paragraph("Pixels of the photograph, where a face was found.", "soft"),
            html.table(("share of faces below", "px"), below),
        ),
    )
    return "".join(sections)


def _rates(rows: pd.DataFrame, column: str) -> str:
    cells = [
        (
            str(name),
            len(part),
            float(part["face_found"].mean()),
            float((part["num_faces"] > 1).mean()),
            float(part.loc[part["face_found"], "face_width"].median()) if part["face_found"].any() else 0.0,
        )
        for name, part in rows.groupby(column)
    ]
    return html.table((column.replace("_", " "), "images", "face rate", "several faces", "median width, px"), cells)


def _pictures(folder: Path, rows: pd.DataFrame, dataset: dict[str, Any]) -> str:
    if not dataset["pictures_allowed"]:
        refusal = f"No pictures: the licence of {dataset['dataset']} does not allow them here ({dataset['licence']})."
        console.say(refusal)
        return html.section("Pictures", html.paragraph(refusal))
    found = rows[rows["face_found"]].sort_values(["score", "sha256"])
    sheets = {
        "Surest faces": found.iloc[::-1].head(_PER_SHEET),
        "Least sure faces": found.head(_PER_SHEET),
        "No face found: the whole photograph": rows[~rows["face_found"]].head(_PER_SHEET),
    }
    reader = shards.Reader(folder)
    sections = [html.section(title, _sheet(reader, part, title)) for title, part in sheets.items() if len(part)]
    reader.close()
    return "".join(sections)


def _sheet(reader: shards.Reader, rows: pd.DataFrame, title: str) -> str:
    thumbs = [
        cv2.resize(codec.decode_stored(reader.read(place)), (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        for place in shards.locate(rows)
    ]
    columns = min(_COLUMNS, len(thumbs))
    thumbs += [np.full_like(thumbs[0], 255)] * (-len(thumbs) % columns)
    lines = [np.hstack(thumbs[start : start + columns]) for start in range(0, len(thumbs), columns)]
    labels = ", ".join(f"{label} ({score:.2f})" for label, score in zip(rows["label"], rows["score"], strict=True))
    legend = html.paragraph(f"Label and confidence, line by line: {labels}.", "soft")
    return html.png(codec.encode_png(np.vstack(lines)), f"{title}: {len(rows)} crops") + legend

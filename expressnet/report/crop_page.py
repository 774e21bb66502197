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
    refusal = _refusal(crops["dataset"]) if pictures else ""
    sheets = _sheets(folder, rows) if pictures and not refusal else []
    page = html.page("crop.html.j2", **_figures(rows, crops), refusal=refusal, sheets=sheets)
    path = folder / FILE_NAME
    if not path.exists() or path.read_text() != page:
        storage.write_bytes(path, page.encode())


def _figures(rows: pd.DataFrame, crops: dict[str, Any]) -> dict[str, Any]:
    found = rows[rows["face_found"]]
    widths = found["face_width"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]) if len(found) else pd.Series(dtype=float)
    return {
        "dataset": crops["dataset"]["dataset"],
        "about": [(name.replace("_", " "), crops[name]) for name in _FACTS if name in crops],
        "by_class": _rates(rows, "label"),
        "by_source_split": _rates(rows, "source_split"),
        "widths": [(f"{share:.0%}", round(width_px)) for share, width_px in widths.items()],
    }


def _rates(rows: pd.DataFrame, column: str) -> list[tuple[str, int, float, float, float]]:
    return [
        (
            str(name),
            len(part),
            float(part["face_found"].mean()),
            float((part["num_faces"] > 1).mean()),
            float(part.loc[part["face_found"], "face_width"].median()) if part["face_found"].any() else 0.0,
        )
        for name, part in rows.groupby(column)
    ]


def _refusal(dataset: dict[str, Any]) -> str:
    """Returns why no crops are shown although somebody asked, "" if they may be."""
    if dataset["pictures_allowed"]:
        return ""
    refusal = f"No pictures: the licence of {dataset['dataset']} does not allow them here ({dataset['licence']})."
    console.say(refusal)
    return refusal


def _sheets(folder: Path, rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = rows[rows["face_found"]].sort_values(["score", "sha256"])
    shown = {
        "Surest faces": found.iloc[::-1].head(_PER_SHEET),
        "Least sure faces": found.head(_PER_SHEET),
        "No face found: the whole photograph": rows[~rows["face_found"]].head(_PER_SHEET),
    }
    reader = shards.Reader(folder)
    sheets = [{"title": title, **_sheet(reader, part)} for title, part in shown.items() if len(part)]
    reader.close()
    return sheets


def _sheet(reader: shards.Reader, rows: pd.DataFrame) -> dict[str, Any]:
    thumbs = [
        cv2.resize(codec.decode_stored(reader.read(place)), (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        for place in shards.locate(rows)
    ]
    columns = min(_COLUMNS, len(thumbs))
    thumbs += [np.full_like(thumbs[0], 255)] * (-len(thumbs) % columns)
    lines = [np.hstack(thumbs[start : start + columns]) for start in range(0, len(thumbs), columns)]
    return {
        "address": html.data_uri(codec.encode_png(np.vstack(lines))),
        "labels": [f"{label} ({score:.2f})" for label, score in zip(rows["label"], rows["score"], strict=True)],
    }

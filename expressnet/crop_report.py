"""What cropping found, for people: how many faces, of which size, in which classes, and whether both models agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from expressnet import blazeface, cutting, html, images, shards, workers

_SAMPLE = 200  # images that both models look at
_TIMEOUT_S = 60.0
_MIN_SCORE = 0.5

_compared: tuple[shards.Reader, list[blazeface.Detector]]


def agreement(frame: pd.DataFrame, dataset_dir: str, num_workers: int) -> dict[str, float]:
    """Runs the short- and the full-range model on the first images by sha256, at most 200.

    Args:
        frame: rows of the manifest in `dataset_dir`.
        dataset_dir: output of ingest.
        num_workers: processes; 0 takes one per CPU.

    Returns:
        The number of images, the share in which each model finds a face, and the share in which both find one or
        neither does.
    """
    locations = shards.locate(frame.sort_values("sha256").head(_SAMPLE))
    useful = workers.useful(len(locations), each=cutting.PHOTOS_EACH, most=num_workers)
    found = workers.run(
        _compare, locations, num_workers=useful, start=_start, start_arguments=(dataset_dir,), timeout_s=_TIMEOUT_S,
    )  # fmt: skip
    pairs = pd.DataFrame(
        [pair for pair in found if not isinstance(pair, workers.Failure)], columns=list(blazeface.FILES)
    )
    rates = {f"{name}_rate": float(pairs[name].mean()) for name in pairs}
    return {"num_compared": len(pairs), **rates, "agreement": float((pairs.nunique(axis=1) == 1).mean())}


def _start(dataset_dir: str) -> None:
    global _compared
    cv2.setNumThreads(1)
    detectors = [blazeface.Detector(blazeface.model_path(name), _MIN_SCORE) for name in blazeface.FILES]
    _compared = (shards.Reader(dataset_dir), detectors)


def _compare(location: shards.Location) -> list[bool]:
    reader, detectors = _compared
    rgb = images.decode_rgb(reader.read(location))
    return [bool(detector.detect(rgb)) for detector in detectors]


def render(cropped: pd.DataFrame, crops: dict[str, Any], path: Path) -> None:
    """Writes the page.

    Args:
        cropped: the manifest of the crops.
        crops: the report, as crops.json has it.
        path: of the page.
    """
    found = cropped[cropped["face_found"]]
    facts = [(name.replace("_", " "), crops[name]) for name in (
        "mode", "detector", "size_px", "num_examples", "num_left_out", "num_faces_found", "face_rate",
        "several_faces_rate", "num_compared", "short_range_rate", "full_range_rate", "agreement",
    )]  # fmt: skip
    widths = found["face_width"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]) if len(found) else pd.Series(dtype=float)
    below = [(f"{share:.0%}", round(width_px)) for share, width_px in widths.items()]
    said = html.paragraph("Pixels of the photograph, where a face was found.", "soft")
    sections = (
        html.section("Crops", html.table(("", ""), facts)),
        html.section("By class", _rates(cropped, "label")),
        html.section("By published split", _rates(cropped, "source_split")),
        html.section("Width of the faces", said, html.table(("share of faces below", "px"), below)),
    )
    path.write_text(html.page(f"Crops of {crops['dataset']['dataset']}", "".join(sections)))


def _rates(cropped: pd.DataFrame, column: str) -> str:
    groups = cropped.groupby(column)
    rows = [
        (str(name), len(part), float(part["face_found"].mean()), float((part["num_faces"] > 1).mean()),
         float(part.loc[part["face_found"], "face_width"].median()) if part["face_found"].any() else 0.0)
        for name, part in groups
    ]  # fmt: skip
    return html.table((column.replace("_", " "), "images", "face rate", "several faces", "median width, px"), rows)

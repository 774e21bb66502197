"""Runs BlazeFace over a manifest in several processes and stores the cut-outs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from expressnet import blazeface, console, images, shards, storage
from expressnet.config import CropConfig

# Where the eye line lies in the square, from its top; faces are about as long above it as BlazeFace's box is.
_EYE_LINE = 0.4


class Crop(NamedTuple):
    """One cut-out: PNG bytes, the SHA-256 of its pixels, and what the manifest says about it."""

    sha256: str
    png: bytes
    crop_sha256: str
    face_found: bool
    num_faces: int
    score: float
    box_xyxy: tuple[int, int, int, int]


def crop_all(frame: pd.DataFrame, dataset_dir: str, shards_dir: Path, config: CropConfig) -> pd.DataFrame:
    """Cuts a square of `size_px` out of every example; where no face is found, takes the whole image.

    The order of the output is that of sha256, whatever the number of processes.

    Args:
        frame: rows of the manifest in `dataset_dir`, sorted by sha256.
        dataset_dir: output of ingest.
        shards_dir: where the shards of the crops go.
        config: how.

    Returns:
        The rows with the crops' places instead of the photographs', the crop columns of the manifest and
        `crop_sha256`.
    """
    model_path = blazeface.model_path(config.detector)
    tasks = list(zip(frame["sha256"], shards.locate(frame), strict=True))
    num_workers = min(config.num_workers or os.cpu_count() or 1, max(1, len(tasks) // 50))
    # Forked processes would inherit threads' locks in an unknown state.
    context = multiprocessing.get_context("spawn")
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(num_workers, context, _start_worker, (str(dataset_dir), model_path, config)) as pool:
        crops = pool.map(_crop_one, tasks, chunksize=32)
        bar = console.progress(crops, total=len(tasks), unit="photos")
        digits = shards.prefix_digits(len(tasks) * config.size_px**2 * 2)
        for _, location in shards.write(_keep_facts(bar, rows), shards_dir, digits=digits):
            rows[-1] |= location._asdict()
    facts = frame.drop(columns=["shard", "offset", "size"])
    return facts.merge(pd.DataFrame(rows), on="sha256", validate="one_to_one")


def _keep_facts(crops: Iterable[Crop], rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, bytes]]:
    """Passes the pictures on to the shards and keeps the rest as manifest rows."""
    for crop in crops:
        facts = crop._asdict()
        png = facts.pop("png")
        rows.append(facts)
        yield crop.sha256, "png", png


class _Worker(NamedTuple):
    reader: shards.Reader
    detector: blazeface.Detector
    config: CropConfig


_worker: _Worker


def _start_worker(dataset_dir: str, model_path: Path, config: CropConfig) -> None:
    global _worker
    _worker = _Worker(shards.Reader(dataset_dir), blazeface.Detector(model_path, config.min_score), config)


def _crop_one(task: tuple[str, shards.Location]) -> Crop:
    sha256, location = task
    rgb = images.decode_rgb(_worker.reader.read(location))
    faces = _worker.detector.detect(rgb)
    face = choose_face(faces, _worker.config.face_choice)
    height, width = rgb.shape[:2]
    box_xyxy = face_square(face, _worker.config.margin) if face else (0, 0, width, height)
    square = cut(rgb, box_xyxy, _worker.config.size_px)
    # Of the pixels, because the bytes of a PNG change with the version of the compression library.
    digest = storage.bytes_sha256(square.tobytes())
    score = face.score if face else 0.0
    return Crop(sha256, images.encode_png(square), digest, face is not None, len(faces), score, box_xyxy)


def choose_face(faces: list[blazeface.Face], choice: str) -> blazeface.Face | None:
    """Returns the first (most confident) or the largest face, None where there is none."""
    if not faces:
        return None
    return faces[0] if choice == "first" else max(faces, key=_area)


def _area(face: blazeface.Face) -> float:
    left, top, right, bottom = face.box_xyxy
    return (right - left) * (bottom - top)


def face_square(face: blazeface.Face, margin: float) -> tuple[int, int, int, int]:
    """Places a square on a face by its eye line.

    Args:
        face: a detection.
        margin: fraction of the longer box side added on every side.

    Returns:
        int (left, top, right, bottom), pixels; centred between the eyes, the eye line at 40 % of the height.
        It may leave the image.
    """
    left, top, right, bottom = face.box_xyxy
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    (left_x, left_y), (right_x, right_y) = face.eyes_xy
    x = round((left_x + right_x) / 2 - side / 2)
    y = round((left_y + right_y) / 2 - side * _EYE_LINE)
    return x, y, x + side, y + side


def cut(rgb: np.ndarray, box_xyxy: tuple[int, int, int, int], size_px: int) -> np.ndarray:
    """Cuts a box out of an image and scales it to a square.

    What of the box lies outside the image is filled with the image's border pixels.

    Args:
        rgb: uint8[height, width, 3].
        box_xyxy: pixels, right and bottom exclusive.
        size_px: side of the output.

    Returns:
        uint8[size_px, size_px, 3].
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = box_xyxy
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    box = Image.fromarray(rgb[np.ix_(rows, columns)])
    return np.asarray(box.resize((size_px, size_px), Image.Resampling.BILINEAR))

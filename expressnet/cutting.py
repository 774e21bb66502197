"""Cuts the faces out of a whole data set: processes in front, shards behind."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from expressnet import blazeface, console, faces, images, shards, storage
from expressnet.config.crop import CropConfig


def cut_all(
    frame: pd.DataFrame, dataset_dir: str, shards_dir: Path, config: CropConfig, earlier: Sequence[Path] = ()
) -> pd.DataFrame:
    """Cuts a square of `size_px` out of every example; where no face is found, takes the whole image.

    What comes out is the same for any number of processes and any order of the rows.

    Args:
        frame: rows of the manifest in `dataset_dir`.
        dataset_dir: output of ingest.
        shards_dir: where the shards of the crops go; what an interrupted call left there is kept.
        config: how.
        earlier: shard folders of crops that were cut in the same way; what they hold is not cut again.

    Returns:
        The rows, sorted by sha256, with the crops' places instead of the photographs', the crop columns of the
        manifest and `crop_sha256`, the SHA-256 of the crop's pixels.
    """
    model_path = blazeface.model_path(config.detector)
    tasks = dict(zip(frame["sha256"], shards.locate(frame), strict=True))

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        num_workers = min(config.num_workers or os.cpu_count() or 1, max(1, len(keys) // 50))
        # Forked processes would inherit threads' locks in an unknown state.
        context = multiprocessing.get_context("spawn")
        start = (str(dataset_dir), model_path, config)
        with ProcessPoolExecutor(num_workers, context, _start_worker, start) as pool:
            cut = pool.map(_cut_one, [(key, tasks[key]) for key in keys], chunksize=32)
            yield from console.progress(cut, total=len(keys), unit="photos")

    bytes_each = config.size_px**2 * 2.0
    places = shards.fill(shards_dir, set(tasks), payloads, bytes_each=bytes_each, earlier=earlier)
    facts = frame.drop(columns=["shard", "offset", "size"])
    return facts.merge(places, on="sha256", validate="one_to_one").sort_values("sha256").reset_index(drop=True)


class _Worker(NamedTuple):
    reader: shards.Reader
    detector: blazeface.Detector
    config: CropConfig


_worker: _Worker


def _start_worker(dataset_dir: str, model_path: Path, config: CropConfig) -> None:
    global _worker
    _worker = _Worker(shards.Reader(dataset_dir), blazeface.Detector(model_path, config.min_score), config)


def _cut_one(task: tuple[str, shards.Location]) -> shards.Payload:
    sha256, location = task
    rgb = images.decode_rgb(_worker.reader.read(location))
    found = _worker.detector.detect(rgb)
    face = faces.choose_face(found, _worker.config.face_choice)
    height, width = rgb.shape[:2]
    box_xyxy = faces.face_square(face, _worker.config.margin) if face else (0, 0, width, height)
    square = faces.cut(rgb, box_xyxy, _worker.config.size_px)
    facts = {
        "face_found": face is not None, "num_faces": len(found), "score": face.score if face else 0.0,
        "box_xyxy": box_xyxy,
        # Of the pixels, because the bytes of a PNG change with the version of the compression library.
        "crop_sha256": storage.bytes_sha256(square.tobytes()),
    }  # fmt: skip
    return shards.Payload(sha256, "png", images.encode_png(square), facts)

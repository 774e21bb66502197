"""Cuts the faces out of a whole data set: processes in front, shards behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import pandas as pd

from expressnet.config.crop import CropConfig, CutConfig
from expressnet.data import shards
from expressnet.faces import cropper
from expressnet.imaging import codec
from expressnet.runtime import console, storage, workers

_PHOTOS_EACH = 50  # a process takes longer to start than so many take
_COMPARED = 16  # one photograph in so many is shown to both models; which, its hash says, so that no other matters
_TIMEOUT_S = 60.0
_MEMORY_BYTES = 6 * 2**30


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
        The rows that could be cut, sorted by sha256, with the crops' places instead of the photographs', the crop
        columns of the manifest, `crop_sha256`, the SHA-256 of the crop's pixels, and of a sixteenth of the rows which
        models find a face (`faces.FOUND_BY`; None in the others).
    """
    places = shards.fill(
        shards_dir,
        set(frame["sha256"]),
        _cut_by(frame, dataset_dir, config),
        bytes_each=_bytes_each(config),
        earlier=earlier,
    )
    facts = frame.drop(columns=["shard", "offset", "size"])
    cropped = facts.merge(places, on="sha256", validate="one_to_one").sort_values("sha256")
    return cropped[cropped["refused"] == ""].drop(columns="refused").reset_index(drop=True)


def cut_part(
    frame: pd.DataFrame,
    dataset_dir: str,
    shards_dir: Path,
    config: CropConfig,
    earlier: Sequence[Path],
    which: CutConfig,
) -> int:
    """Cuts the shards of one part, for a `cut_all` with the same arguments to go on from.

    Returns:
        How many photographs they hold.
    """
    return shards.fill_part(
        shards_dir,
        set(frame["sha256"]),
        _cut_by(frame, dataset_dir, config),
        bytes_each=_bytes_each(config),
        earlier=earlier,
        part=which.part,
        num_parts=which.num_parts,
    )


def _bytes_each(config: CropConfig) -> float:
    return config.size_px**2 * 2.0


def _cut_by(frame: pd.DataFrame, dataset_dir: str, config: CropConfig) -> shards.Make:
    """Returns the function that cuts photographs of `frame`, by their hashes."""
    boxes = [tuple(map(int, box)) for box in frame["given_box_xyxy"]]
    tasks = {
        sha256: _Task(sha256, location, box)
        for sha256, location, box in zip(frame["sha256"], shards.locate(frame), boxes, strict=True)
    }

    def payloads(keys: list[str]) -> Iterator[shards.Payload]:
        num_workers = workers.useful(len(keys), each=_PHOTOS_EACH, most=config.num_workers)
        cut = workers.run(
            _cut_one,
            (tasks[key] for key in keys),
            num_workers=num_workers,
            start=_start_worker,
            start_arguments=(str(dataset_dir), config),
            timeout_s=_TIMEOUT_S,
            memory_bytes=_MEMORY_BYTES,
        )
        for key, result in zip(keys, console.progress(cut, total=len(keys), unit="photos"), strict=True):
            yield _refused(key, result) if isinstance(result, workers.Failure) else result

    return payloads


class _Task(NamedTuple):
    sha256: str
    location: shards.Location
    given_box_xyxy: tuple[int, ...]


class _Worker(NamedTuple):
    reader: shards.Reader
    faces: cropper.Cropper


_worker: _Worker


def _start_worker(dataset_dir: str, config: CropConfig) -> None:
    global _worker
    cv2.setNumThreads(1)
    _worker = _Worker(shards.Reader(dataset_dir), cropper.Cropper(config))


def _cut_one(task: _Task) -> shards.Payload:
    rgb = codec.decode_stored(_worker.reader.read(task.location))
    square, facts = _worker.faces.cut(rgb, task.given_box_xyxy)
    is_compared = int(task.sha256[-4:], 16) % _COMPARED == 0
    found_by = _worker.faces.found_by(rgb) if is_compared else dict.fromkeys(cropper.FOUND_BY.values())
    # Of the pixels, because the bytes of a PNG change with the version of the compression library.
    digest = storage.bytes_sha256(square.tobytes())
    facts = {**facts, **found_by, "crop_sha256": digest, "refused": ""}
    return shards.Payload(task.sha256, "png", codec.encode_png(square), facts)


def _refused(sha256: str, failure: workers.Failure) -> shards.Payload:
    """Returns an empty record for a photograph that ended its process; the index says why there is no crop."""
    nothing = {
        "face_found": False,
        "num_faces": 0,
        "score": 0.0,
        "box_xyxy": (0, 0, 0, 0),
        "angle_deg": 0.0,
        "face_width": 0.0,
        "yaw": 0.0,
        **dict.fromkeys(cropper.FOUND_BY.values()),
        "crop_sha256": "",
    }
    return shards.Payload(sha256, "png", b"", {**nothing, "refused": failure.reason})

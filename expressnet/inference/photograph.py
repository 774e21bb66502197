"""What there is to see in one photograph: one face, or why there is none to predict."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from expressnet.config.crop import CropConfig
from expressnet.faces import cropper
from expressnet.imaging import codec
from expressnet.runtime import storage, worker_process
from expressnet.sources.base import File

UNREADABLE = "the file can't be read"
FORGOTTEN = "it is to be forgotten (make forget)"
MEMORY_BYTES = 6 * 2**30


class Seen(NamedTuple):
    """What a file gave.

    Attributes:
        sha256: of its bytes; "" where it can't be read, or is to be forgotten.
        problem: why there is nothing to predict, "" if there is something.
        square: uint8[size_px, size_px, 3], RGB; None where there is a problem, or the answer is known.
        facts: of the image and the face in it, with the names of the manifest's columns; {} where there is no square.
    """

    sha256: str
    problem: str = ""
    square: np.ndarray | None = None
    facts: dict[str, Any] = {}  # noqa: RUF012  # of a NamedTuple, which nobody changes


class _Worker(NamedTuple):
    faces: cropper.Cropper
    known: frozenset[str]
    forgotten: frozenset[str]


_worker: _Worker


def start(config: CropConfig, known: frozenset[str] = frozenset(), forgotten: frozenset[str] = frozenset()) -> None:
    """Makes this process ready for `see` and `see_file`.

    Args:
        config: how faces are cut, the model's own.
        known: SHA-256 of files that were predicted before: they are read, but not decoded.
        forgotten: SHA-256 of files that must not be looked at.
    """
    global _worker
    worker_process.silence()
    cv2.setNumThreads(1)
    _worker = _Worker(cropper.Cropper(config), known, forgotten)


def see_file(file: File) -> Seen:
    """Reads a file once and looks for a face in it; never raises for what the file is."""
    try:
        data = file.read()
    except OSError:
        return Seen("", UNREADABLE)
    sha256 = storage.bytes_sha256(data)
    if sha256 in _worker.forgotten:
        return Seen("", FORGOTTEN)
    return Seen(sha256) if sha256 in _worker.known else see(data)


def see(data: bytes) -> Seen:
    """Looks for a face in the bytes of an image; where none is found, the square is the whole image."""
    sha256 = storage.bytes_sha256(data)
    about, rgb = codec.examine(data)
    if rgb is None:
        return Seen(sha256, about.problem)
    square, facts = _worker.faces.cut(rgb)
    return Seen(sha256, "", square, {"width": about.width, "height": about.height, **facts})


def refused(file: File, reason: str) -> Seen:
    """Stands for a file that ended the process which looked at it."""
    try:
        return Seen(storage.bytes_sha256(file.read()), reason)
    except OSError:
        return Seen("", UNREADABLE)

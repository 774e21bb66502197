"""Crops as one array of pixels that is read at random."""

from __future__ import annotations

import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from expressnet import console, images, shards

_MAX_IN_MEMORY_BYTES = 2 * 2**30


def load(faces_dir: str, rows: pd.DataFrame, size_px: int, scratch_dir: str | Path) -> np.ndarray:
    """Decodes crops once, into memory or, from 2 GiB on, into an unnamed file that the system caches as it can.

    Args:
        faces_dir: output of the stage crop.
        rows: manifest rows.
        size_px: side that the crops must have.
        scratch_dir: folder for the file; its space is given back when the array is no longer used.

    Returns:
        uint8[rows, size_px, size_px, 3], RGB.

    Raises:
        ValueError: the crops have another size.
    """
    reader = shards.Reader(faces_dir)
    Path(scratch_dir).mkdir(parents=True, exist_ok=True)
    shape = (len(rows), size_px, size_px, 3)
    if math.prod(shape) < _MAX_IN_MEMORY_BYTES:
        pixels = np.empty(shape, dtype=np.uint8)
    else:
        with tempfile.TemporaryFile(dir=scratch_dir) as file:
            pixels = np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)

    def decode(task: tuple[int, shards.Location]) -> None:
        place, location = task
        rgb = images.decode_stored(reader.read(location))
        if rgb.shape != shape[1:]:
            raise ValueError(
                f"The network takes {size_px}x{size_px} crops, but the crops are {rgb.shape[0]}x{rgb.shape[1]}; "
                "were they cut for another preset?"
            )
        pixels[place] = rgb

    tasks = enumerate(shards.locate(rows))
    with ThreadPoolExecutor(2) as pool:
        for _ in console.progress(pool.map(decode, tasks), total=len(rows), unit="crops loaded"):
            pass
    reader.close()
    return pixels


def as_input(pixels: np.ndarray, channel_order: str) -> np.ndarray:
    """Turns uint8[n, h, w, 3] RGB into the network's input, float32 in 0..1, channels in `channel_order`."""
    ordered = pixels[..., ::-1] if channel_order == "bgr" else pixels
    return ordered.astype(np.float32) / 255.0

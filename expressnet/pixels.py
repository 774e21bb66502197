"""Crops as pixels that are read at random: decoded once into an array, or whenever they are asked for."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from expressnet import console, images, shards

_MAX_IN_MEMORY_BYTES = 2 * 2**30
_NUM_THREADS = min(16, os.cpu_count() or 1)


class Stored:
    """Crops that lie in shards and are decoded whenever they are asked for."""

    def __init__(self, faces_dir: str, rows: pd.DataFrame, size_px: int):
        """Names the crops.

        Args:
            faces_dir: output of the stage crop.
            rows: manifest rows.
            size_px: side that the crops must have.
        """
        self._reader, self._locations = shards.Reader(faces_dir), shards.locate(rows)
        self._pool = ThreadPoolExecutor(_NUM_THREADS)
        self.shape = (len(rows), size_px, size_px, 3)

    def __len__(self) -> int:
        return len(self._locations)

    def __getitem__(self, places: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns uint8[places, size_px, size_px, 3], RGB.

        Raises:
            ValueError: the crops have another size.
        """
        pixels = np.empty((len(places), *self.shape[1:]), np.uint8)
        for _ in self._fill(pixels, places):
            pass
        return pixels

    def _fill(self, pixels: np.ndarray, places: Sequence[int] | np.ndarray) -> Iterator[None]:
        def decode(task: tuple[int, int]) -> None:
            index, place = task
            pixels[index] = self._decode(place)

        return self._pool.map(decode, enumerate(places))

    def _decode(self, place: int) -> np.ndarray:
        rgb = images.decode_stored(self._reader.read(self._locations[place]))
        if rgb.shape != self.shape[1:]:
            raise ValueError(
                f"The network takes {self.shape[1]}x{self.shape[2]} crops, but the crops are "
                f"{rgb.shape[0]}x{rgb.shape[1]}; were they cut for another preset?"
            )
        return rgb

    def load(self, scratch_dir: str | Path) -> np.ndarray:
        """Decodes all, into memory or, from 2 GiB on, into an unnamed file that the system caches as it can.

        Args:
            scratch_dir: folder for the file; its space is given back when the array is no longer used.

        Returns:
            uint8[rows, size_px, size_px, 3], RGB.

        Raises:
            ValueError: the crops have another size.
        """
        Path(scratch_dir).mkdir(parents=True, exist_ok=True)
        if math.prod(self.shape) < _MAX_IN_MEMORY_BYTES:
            pixels = np.empty(self.shape, dtype=np.uint8)
        else:
            with tempfile.TemporaryFile(dir=scratch_dir) as file:
                pixels = np.memmap(file, dtype=np.uint8, mode="w+", shape=self.shape)
        for _ in console.progress(self._fill(pixels, range(len(self))), total=len(self), unit="crops loaded"):
            pass
        return pixels

    def close(self) -> None:
        """Closes the shards."""
        self._pool.shutdown()
        self._reader.close()


def load(faces_dir: str, rows: pd.DataFrame, size_px: int, scratch_dir: str | Path) -> np.ndarray:
    """Decodes crops once; see `Stored`."""
    stored = Stored(faces_dir, rows, size_px)
    try:
        return stored.load(scratch_dir)
    finally:
        stored.close()


def as_input(pixels: np.ndarray, channel_order: str) -> np.ndarray:
    """Turns uint8[n, h, w, 3] RGB into the network's input, float32 in 0..1, channels in `channel_order`."""
    ordered = pixels[..., ::-1] if channel_order == "bgr" else pixels
    return ordered.astype(np.float32) / 255.0

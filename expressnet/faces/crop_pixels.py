"""Crops as pixels that are read at random: decoded once into an array, or whenever they are asked for."""

from __future__ import annotations

import math
import mmap
import tempfile
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from expressnet.data import shards
from expressnet.imaging import codec
from expressnet.runtime import console, cpus

_MAX_IN_MEMORY_BYTES = 2 * 2**30
_NUM_THREADS = min(16, cpus.num_usable())


class Stored:
    """Crops that lie in shards and are decoded whenever they are asked for."""

    def __init__(self, faces_dir: str, rows: pd.DataFrame, size_px: int, channel_order: str = "rgb"):
        """Names the crops.

        Args:
            faces_dir: output of the stage crop.
            rows: manifest rows.
            size_px: side that the crops must have.
            channel_order: in which they are given, "rgb" or "bgr".
        """
        self._channel_order = channel_order
        self._reader, self._locations = shards.Reader(faces_dir), shards.locate(rows)
        self._pool = ThreadPoolExecutor(_NUM_THREADS)
        self.shape = (len(rows), size_px, size_px, 3)

    def __len__(self) -> int:
        return len(self._locations)

    def each(self, function: Callable[[int, np.ndarray], None], places: Sequence[int] | np.ndarray) -> Iterator[None]:
        """Decodes in threads and calls `function` there with each crop's index in `places` and its pixels.

        Raises:
            ValueError: the crops have another size.
        """
        return self._pool.map(lambda index, place: function(index, self._decode(place)), range(len(places)), places)

    def _decode(self, place: int) -> np.ndarray:
        rgb = codec.decode_stored(self._reader.read(self._locations[place]))
        if rgb.shape != self.shape[1:]:
            raise ValueError(
                f"The network takes {self.shape[1]}x{self.shape[2]} crops, but the crops are "
                f"{rgb.shape[0]}x{rgb.shape[1]}; were they cut for another preset?"
            )
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if self._channel_order == "bgr" else rgb

    def load(self, scratch_dir: str | Path) -> np.ndarray:
        """Decodes all, into memory or, from 2 GiB on, into an unnamed file that the system caches as it can.

        Args:
            scratch_dir: folder for the file; its space is given back when the array is no longer used.

        Returns:
            uint8[rows, size_px, size_px, 3].

        Raises:
            ValueError: the crops have another size.
        """
        Path(scratch_dir).mkdir(parents=True, exist_ok=True)
        if math.prod(self.shape) < _MAX_IN_MEMORY_BYTES:
            pixels = np.empty(self.shape, dtype=np.uint8)
        else:
            with tempfile.TemporaryFile(dir=scratch_dir) as file:
                pixels = np.memmap(file, dtype=np.uint8, mode="w+", shape=self.shape)
        filled = self.each(pixels.__setitem__, range(len(self)))
        for _ in console.progress(filled, total=len(self), unit="crops loaded"):
            pass
        return pixels

    def close(self) -> None:
        """Closes the shards."""
        self._pool.shutdown()
        self._reader.close()


def load(
    faces_dir: str, rows: pd.DataFrame, size_px: int, scratch_dir: str | Path, channel_order: str = "rgb"
) -> np.ndarray:
    """Decodes crops once; see `Stored`."""
    stored = Stored(faces_dir, rows, size_px, channel_order)
    try:
        return stored.load(scratch_dir)
    finally:
        stored.close()


class Batches:
    """Memory of batches, used again once nobody looks at a batch: fresh pages cost more than filling them."""

    def __init__(self) -> None:
        self._unused: dict[int, list[mmap.mmap]] = defaultdict(list)

    def scaled(self, crops: np.ndarray | Stored, places: np.ndarray) -> np.ndarray:
        """Returns some of the crops as float32[places, size_px, size_px, 3] in 0..1."""
        batch = self._new((len(places), *crops.shape[1:]))

        def put(index: int | slice, pixels: np.ndarray) -> None:
            # One pass over the pixels, and few calls: threads that ask for Python's lock wait longer than they compute.
            np.divide(pixels, np.float32(255), out=batch[index], dtype=np.float32)

        if isinstance(crops, Stored):
            for _ in crops.each(put, places):
                pass
        else:
            put(slice(None), crops[places])
        return batch

    def _new(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns float32 of this shape, not initialised; it begins with a page, so TensorFlow takes it uncopied."""
        unused = self._unused[math.prod(shape)]
        try:
            memory = unused.pop()
        except IndexError:  # another thread may have had the last one
            memory = mmap.mmap(-1, 4 * math.prod(shape))
        # Views keep this array alive, because its memory belongs to no other array.
        owner = np.frombuffer(memory, np.float32)
        weakref.finalize(owner, unused.append, memory).atexit = False
        return owner.reshape(shape)

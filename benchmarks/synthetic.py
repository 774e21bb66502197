"""Synthetic manifests of millions of rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from expressnet.data import manifest

CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SHARES = (0.09, 0.02, 0.03, 0.06, 0.4, 0.25, 0.1, 0.05)
KNOWN = 0.3  # share of the rows whose person is known
IMAGES_EACH = 6  # of a known person
_TWINS = 0.05  # share of the rows that show another row's picture
_GROUP_ROWS = 1 << 17


def batches(num_rows: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Yields so many rows as crop leaves them, in the order of sha256, a row group at a time.

    One row in twenty shows the picture of another row again, half of them pixel by pixel and half with up to 8 bits
    of its perceptual hash flipped; three in ten belong to a person with about six pictures.
    """
    noise = np.random.default_rng(seed)
    for start, stop in pairwise([*range(0, num_rows, _GROUP_ROWS), num_rows]):
        yield _batch(start, stop, num_rows, noise)


def _batch(start: int, stop: int, num_rows: int, noise: np.random.Generator) -> pa.RecordBatch:
    count = stop - start
    first_words = np.sort(noise.integers(0, 2**64 // num_rows * count, count, dtype=np.uint64))
    keys = noise.integers(0, 2**64, (count, 4), dtype=np.uint64)
    keys[:, 0] = first_words + np.uint64(2**64 // num_rows * start)  # ascending over all row groups
    is_twin = noise.random(count) < _TWINS
    picture = np.where(is_twin, noise.integers(0, num_rows, count), np.arange(start, stop)).astype(np.uint64)
    pixels = np.stack([_mixed(picture, word) for word in range(4)], axis=1)
    is_near = is_twin & (noise.random(count) < 0.5)
    pixels[is_near] = keys[is_near]
    hashes = np.stack([_mixed(picture, word) for word in (4, 5)], axis=1)
    for bit in noise.integers(0, 64, (8, count), dtype=np.uint64):
        hashes[:, 0] ^= np.where(is_near, np.uint64(1) << bit, np.uint64(0))
    people = noise.integers(0, max(1, int(num_rows * KNOWN / IMAGES_EACH)), count)
    subjects = np.where(noise.random(count) < KNOWN, people, -1)
    columns = {
        "sha256": _hex(keys),
        "pixel_sha256": _hex(pixels),
        "phash": _hex(hashes),
        "label": [CLASSES[place] for place in noise.choice(len(CLASSES), count, p=SHARES)],
        "subject": [f"person {number}" if number >= 0 else "" for number in subjects.tolist()],
        "source_uri": [f"images/{number:08d}.jpg" for number in range(start, stop)],
        "box_xyxy": pa.FixedSizeListArray.from_arrays(pa.array(noise.integers(0, 500, 4 * count), pa.int32()), 4),
    }
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[field.name], field.type) if field.name in columns else _same(field, count)
            for field in manifest.CROPPED
        ],
        schema=manifest.CROPPED.with_metadata(manifest.METADATA),
    )


def _same(field: pa.Field, count: int) -> pa.Array:
    values = {"source_split": "none", "format": "JPEG", "shard": "0.tar", "face_found": True}
    empty = [] if pa.types.is_list(field.type) else "" if pa.types.is_string(field.type) else 1
    return pa.array([values.get(field.name, empty)] * count, field.type)


def _mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Returns uint64 that look random and are a function of the numbers (the finalizer of splitmix64)."""
    mixed = (numbers + np.uint64(1 + salt * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hex(words: np.ndarray) -> list[str]:
    """Returns 16 digits for each of uint64[rows, words]."""
    text, width = words.astype(">u8").tobytes().hex(), 16 * words.shape[1]
    return [text[start : start + width] for start in range(0, len(text), width)]

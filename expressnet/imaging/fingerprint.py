"""What tells two pictures apart or alike, from their pixels alone.

The perceptual hash is the signs of the 128 lowest frequencies of the picture (a cosine transform of 32 x 32 gray
pixels, the mean left out). Measured on FER-2013 (30,764 distinct pictures of the public part, 48 x 48) and on the
demo set (1,050 rendered faces), in different bits of a pair:

    same picture: JPEG quality 60 to 95, 48 <-> 64, 96, 224 px, brightness +- 10 %    median 0-2, 99 % <= 7, worst 10
    same picture, noise of 3 gray levels                                              median 2, 99 % <= 6, worst 15
    same picture, 1 px of 48 cut off one side                                         median 9, 99 % <= 18
    demo set: nearest two people, nearest two expressions of one person               13, 14
    FER-2013: pairs within 10 bits                                                    599; those looked at: one photo

From 26 bits on, different people join on FER-2013 (at 28 the largest group has 301 pictures; at 10 it has 9, one
photo). The 64-bit hash of OpenCV (pHash) has no such gap: two people of the demo set are 2 bits apart, a re-encoded
picture up to 4. 256 bits tell no better at twice the room.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

HASH_BITS = 128
COLOUR_BINS = 32
# Two pictures within so many bits are the same picture again; see above. False joins cost more than missed crops:
# they glue splits together.
MAX_DISTANCE = 10

_SIDE = 32
# A frequency weaker than this is the rounding of the pixels: its sign says nothing. Faces have 109 of 128 above it
# (99.9 % of FER-2013); plain colours, gradients and single lines have few, and all of those would look alike.
_MIN_STRENGTH = 1.0
_MIN_STRONG = 64


class Fingerprint(NamedTuple):
    """What the manifest keeps of an image's pixels; its columns have the same names."""

    pixel_sha256: str
    phash: str
    brightness: float
    contrast: float
    sharpness: float


NONE = Fingerprint("", "", 0.0, 0.0, 0.0)


def of(rgb: np.ndarray) -> Fingerprint:
    """Returns the fingerprint of uint8[height, width, 3].

    `brightness` and `contrast` are mean and standard deviation of the gray image, `sharpness` is the variance of
    its Laplacian.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
    # 16 bits hold the Laplacian of 8-bit pixels exactly, and a photograph of 64 MP in a quarter of the memory.
    deviation = float(cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))[1][0, 0])
    return Fingerprint(pixel_sha256(rgb), perceptual_hash(gray), brightness, contrast, deviation**2)


def colours(rgb: np.ndarray) -> bytes:
    """Returns how the values of red, green and blue are distributed: shares of the pixels in 65,535ths.

    Returns:
        uint16[3, COLOUR_BINS], little-endian.
    """
    counts = [cv2.calcHist([rgb], [channel], None, [COLOUR_BINS], [0, 256]).ravel() for channel in range(3)]
    shares = np.array(counts) * (65_535 / (rgb.shape[0] * rgb.shape[1]))
    return shares.round().astype("<u2").tobytes()


def mean_colours(each: Iterable[bytes]) -> list[list[float]]:
    """Returns the mean of `colours` over images, b"" left out: float[3, COLOUR_BINS], each line summing to 1.

    [] if there is none.
    """
    total = np.zeros(3 * COLOUR_BINS)
    for one in filter(None, each):
        total += np.frombuffer(one, "<u2")
    lines = total.reshape(3, COLOUR_BINS)
    return (lines / lines.sum(axis=1, keepdims=True)).round(6).tolist() if total.any() else []


def pixel_sha256(rgb: np.ndarray) -> str:
    """Returns the SHA-256 of the image's size and pixels, lower-case hex."""
    hasher = hashlib.sha256(f"{rgb.shape[0]}x{rgb.shape[1]}:".encode())
    hasher.update(np.ascontiguousarray(rgb).data)
    return hasher.hexdigest()


def perceptual_hash(gray: np.ndarray) -> str:
    """Returns HASH_BITS bits of uint8[height, width] as hex; "" if the picture has too little in it to be told.

    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    >>> brighter = cv2.convertScaleAbs(picture, alpha=0.9, beta=20)
    >>> different = int(perceptual_hash(picture), 16) ^ int(perceptual_hash(brighter), 16)
    >>> different.bit_count() <= MAX_DISTANCE
    True
    >>> perceptual_hash(np.full((64, 64), 7, np.uint8))
    ''
    """
    small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    strength = cv2.dct(small).reshape(-1)[_LOWEST]
    if np.count_nonzero(np.abs(strength) > _MIN_STRENGTH) < _MIN_STRONG:
        return ""
    return np.packbits(strength > 0).tobytes().hex()


def _lowest_frequencies() -> np.ndarray:
    """Returns int64[HASH_BITS], the places of the lowest frequencies in the flattened transform."""
    row, column = np.divmod(np.arange(_SIDE * _SIDE), _SIDE)
    return np.lexsort((column, row, row**2 + column**2))[1 : HASH_BITS + 1]


_LOWEST = _lowest_frequencies()

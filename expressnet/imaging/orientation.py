"""EXIF orientation: how stored pixels, and boxes given in them, become upright."""

from __future__ import annotations

import contextlib
import struct

from PIL import Image

UPRIGHT = 1
TAG = 0x0112
# Pillow turns counter-clockwise.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def valid(value: object) -> int:
    """Returns an orientation of 1 to 8 as it is, and 1 for anything else."""
    return value if isinstance(value, int) and value in _TURNS else UPRIGHT


def from_exif(exif: bytes) -> int:
    """Reads the orientation, 1 to 8, from an EXIF block; 1 where it has none or none that is right.

    Pillow's reader reads all of the block, warns about whatever else is odd in it, and changes with its version.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if not order:
        return UPRIGHT
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (num_tags,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(num_tags):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * place)
            if tag == TAG:
                return valid(value)
    return UPRIGHT


def turn_image(image: Image.Image, orientation: int) -> Image.Image:
    """Turns an image as stored upright."""
    return image if orientation == UPRIGHT else image.transpose(_TURNS[orientation])


def turn_box(
    box_xyxy: tuple[float, float, float, float], orientation: int, width: int, height: int
) -> tuple[float, float, float, float]:
    """Turns a box the way `turn_image` turns the pixels.

    Args:
        box_xyxy: pixels of the image as stored, right and bottom exclusive.
        orientation: of the stored image, 1 to 8.
        width: of the upright image, pixels.
        height: of the upright image, pixels.

    Returns:
        The box in pixels of the upright image, right and bottom exclusive.

    >>> turn_box((0, 0, 10, 20), 6, width=100, height=200)  # the camera lay on its side
    (80, 0, 100, 10)
    """
    left, top, right, bottom = box_xyxy
    if orientation >= 5:  # the first stored row is a column of the upright image
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom

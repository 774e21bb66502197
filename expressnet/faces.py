"""Which face is cut out of a photograph, and where its square lies."""

from __future__ import annotations

import numpy as np
from PIL import Image

from expressnet import blazeface

# Where the eye line lies in the square, from its top; faces are about as long above it as BlazeFace's box is.
_EYE_LINE = 0.4


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

"""Where the square around a face lies, and how it is cut out of the image."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from expressnet.faces.blazeface import Face

# Where the eye line lies in the square, from its top; faces are about as long above it as BlazeFace's box is.
_EYE_LINE = 0.4


class Square(NamedTuple):
    """A square in an image, turned around its centre.

    Attributes:
        centre_xy: pixels.
        side: pixels.
        angle_deg: of the square's upper edge against the image's, clockwise.
    """

    centre_xy: tuple[float, float]
    side: float
    angle_deg: float

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """The square turned upright, whole pixels; it may leave the image."""
        (x, y), side = self.centre_xy, max(1, round(self.side))
        left, top = round(x - side / 2), round(y - side / 2)
        return left, top, left + side, top + side


def aligned(face: Face, margin: float) -> Square:
    """Places a square on a face so that the eyes are level and in the middle, at 40 % of the height.

    Args:
        face: a detection.
        margin: context on every side, in widths of the detected box.

    >>> face = Face(
    ...     box_xyxy=(40, 40, 80, 80), eyes_xy=((50, 55), (70, 55)), nose_xy=(60, 65), score=0.9
    ... )
    >>> aligned(face, margin=0.25)
    Square(centre_xy=(60.0, 61.0), side=60.0, angle_deg=0.0)
    """
    (left_x, left_y), (right_x, right_y) = face.eyes_xy
    angle = math.atan2(right_y - left_y, right_x - left_x)
    left, top, right, bottom = face.box_xyxy
    side = max(1.0, max(right - left, bottom - top) * (1 + 2 * margin))
    below = (0.5 - _EYE_LINE) * side  # the centre lies so far under the eye line, in the turned frame
    eyes_x, eyes_y = (left_x + right_x) / 2, (left_y + right_y) / 2
    centre = (eyes_x - below * math.sin(angle), eyes_y + below * math.cos(angle))
    return Square(centre, side, math.degrees(angle))


def around(box_xyxy: tuple[int, int, int, int], margin: float) -> Square:
    """Places an upright square around a box that somebody else gave."""
    left, top, right, bottom = box_xyxy
    return Square(((left + right) / 2, (top + bottom) / 2), max(right - left, bottom - top) * (1 + 2 * margin), 0.0)


def cut(rgb: np.ndarray, square: Square, size_px: int) -> np.ndarray:
    """Cuts a square out of an image, turned level; outside the image its border pixels go on.

    It is sampled bilinearly at a whole multiple of the output's resolution and averaged down, so that a large face
    does not alias.

    Args:
        rgb: uint8[height, width, 3].
        square: where.
        size_px: side of the output.

    Returns:
        uint8[size_px, size_px, 3].
    """
    multiple = max(1, math.ceil(square.side / size_px))
    fine_px = multiple * size_px
    scale = square.side / fine_px  # of the output's pixels, in the image
    cosine, sine = (scale * part(math.radians(square.angle_deg)) for part in (math.cos, math.sin))
    middle = (fine_px - 1) / 2
    # The centre of pixel (i, j) of an image lies at (j + 0.5, i + 0.5).
    x, y = square.centre_xy[0] - 0.5, square.centre_xy[1] - 0.5
    to_image = np.array(
        [[cosine, -sine, x - cosine * middle + sine * middle], [sine, cosine, y - sine * middle - cosine * middle]]
    )
    fine = cv2.warpAffine(
        rgb,
        to_image,
        (fine_px, fine_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return fine if multiple == 1 else cv2.resize(fine, (size_px, size_px), interpolation=cv2.INTER_AREA)


def whole(rgb: np.ndarray, size_px: int) -> np.ndarray:
    """Scales a whole image to a square; its sides may be stretched differently."""
    shrinks = max(rgb.shape[:2]) > size_px
    return cv2.resize(rgb, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def paper_box(face: Face, image_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns the authors' box (left, top, right, bottom), pixels, inside the image.

    A tenth of the width and height is added on the left and on top, and the box grows by a fifth; its size is limited
    to the image's, not to what remains of it, so that slicing cuts the rest off.
    """
    height, width = image_hw
    left, top, right, bottom = map(int, face.box_xyxy)
    box_width, box_height = right - left, bottom - top
    x, y = max(0, left - box_width // 10), max(0, top - box_height // 10)
    box_width, box_height = min(width, box_width + box_width // 5), min(height, box_height + box_height // 5)
    return x, y, min(width, x + box_width), min(height, y + box_height)


def cut_paper(rgb: np.ndarray, box_xyxy: tuple[int, int, int, int], size_px: int) -> np.ndarray:
    """Cuts and scales as the authors do: bilinear, without keeping the sides' proportion."""
    left, top, right, bottom = box_xyxy
    return cv2.resize(rgb[top:bottom, left:right], (size_px, size_px), interpolation=cv2.INTER_LINEAR)

"""Image bytes to pixels and back, and what there is to say about an image; the decoders do the work."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from expressnet.imaging import decoders, orientation

PROBLEMS = decoders.PROBLEMS

_PLAIN = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_FAST = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FAST_FILTERS,
)

Box = tuple[float, float, float, float]


class Facts(NamedTuple):
    """What an image is.

    Attributes:
        format: a name of Pillow's, "" if it is not an image.
        width: pixels, upright; 0 if it is not an image.
        height: pixels, upright; 0 if it is not an image.
        problem: why it can't be used, one of PROBLEMS (or of workers.REASONS); "" if it can.
        orientation: of the stored pixels, 1 to 8, see expressnet.imaging.orientation.
    """

    format: str
    width: int
    height: int
    problem: str
    orientation: int = 1


def examine(data: bytes) -> tuple[Facts, np.ndarray | None]:
    """Decodes an image once.

    Returns:
        The facts, and uint8[height, width, 3] as `decode_rgb` gives it, or None if there is a problem.
    """
    try:
        image_format, stored_as, rgb = decoders.decode(data)
    except decoders.Refused as refusal:
        return refused(str(refusal)), None
    return Facts(image_format, rgb.shape[1], rgb.shape[0], "", stored_as), rgb


def refused(problem: str) -> Facts:
    """Returns the facts of what is not an image, with the reason."""
    return Facts("", 0, 0, problem)


def inspect(data: bytes) -> Facts:
    """Returns what an image is."""
    return examine(data)[0]


def decode_rgb(data: bytes) -> np.ndarray:
    """Decodes the first frame of an image.

    EXIF orientation is applied, of 16 bits the upper 8 are kept, transparency is laid over black.

    Returns:
        uint8[height, width, 3], RGB.

    Raises:
        decoders.Refused: the bytes are no image that we take.
    """
    return decoders.decode(data)[2]


def decode_stored(data: bytes) -> np.ndarray:
    """Decodes what `decode_rgb` took before, or `encode_png` made: the same pixels, in half the time where OpenCV can.

    Returns:
        uint8[height, width, 3], RGB.

    Raises:
        decoders.Refused: the bytes were damaged since.
    """
    rgb = cv2.imdecode(np.frombuffer(data, np.uint8), _PLAIN) if decoders.is_plain(data) else None
    return decode_rgb(data) if rgb is None else rgb


def encode_png(rgb: np.ndarray) -> bytes:
    """Encodes uint8[height, width, 3] losslessly; a gray image is stored with one channel."""
    is_gray = (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all()
    # Half the time of OpenCV's (and Pillow's) own settings, and files as large.
    _, data = cv2.imencode(".png", rgb[..., 0] if is_gray else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), _FAST)
    return data.tobytes()


def upright_box(box_xyxy: Box | None, facts: Facts) -> Box | None:
    """Turns a box, pixels of the image as stored, the way the image's pixels were turned; None stays None."""
    if box_xyxy is None:
        return None
    return orientation.turn_box(box_xyxy, facts.orientation, facts.width, facts.height)

"""Finds faces that are small in a large photograph, by looking at overlapping tiles of it.

BlazeFace sees every image at 128 px (short range), where a face of a twentieth of the image's width is 6 px wide.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from expressnet.faces.blazeface import Detector, Face

_MIN_SIDE_PX = 600  # of the image; a smaller one hides no face that could be used
_TILE_PX = 300
_MAX_TILES_A_SIDE = 8
_OVERLAP = 0.35  # of a tile, so that a face of a third of it is whole in one
_SAME_FACE = 0.3  # intersection over union


def needed(faces: list[Face], image_hw: tuple[int, int]) -> bool:
    """Returns whether a second look may find more: the image is large, and no face fills an eighth of its width."""
    largest = max((face.box_xyxy[2] - face.box_xyxy[0] for face in faces), default=0.0)
    return min(image_hw) >= _MIN_SIDE_PX and largest < max(image_hw) / 8


def detect(detector: Detector, rgb: np.ndarray, min_score: float) -> list[Face]:
    """Returns the faces found in any tile, most confident first, each once.

    Args:
        detector: of the process.
        rgb: uint8[height, width, 3].
        min_score: a tile shows less of what surrounds a face, so that callers should ask for more than of an image.
    """
    found = []
    for left, top, tile in _tiles(rgb):
        for face in detector.detect(tile):
            if face.score >= min_score and _is_whole(face, tile.shape[:2]):
                found.append(face.moved(left, top))
    return each_once(found)


def _tiles(rgb: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    height, width = rgb.shape[:2]
    side = max(_TILE_PX, round(max(height, width) / (_MAX_TILES_A_SIDE * (1 - _OVERLAP))))
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, rgb[top : top + side, left : left + side]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - _OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _is_whole(face: Face, tile_hw: tuple[int, int]) -> bool:
    """Returns whether a face does not touch the edge of its tile; another tile shows it whole then."""
    left, top, right, bottom = face.box_xyxy
    return left > 0 and top > 0 and right < tile_hw[1] and bottom < tile_hw[0]


def each_once(faces: list[Face]) -> list[Face]:
    """Returns the faces, most confident first, without those that lie on a more confident one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if all(overlap(face.box_xyxy, other.box_xyxy) < _SAME_FACE for other in kept):
            kept.append(face)
    return kept


def overlap(first_xyxy: tuple[float, ...], second_xyxy: tuple[float, ...]) -> float:
    """Returns the intersection over the union of two boxes, 0..1."""
    left, top = max(first_xyxy[0], second_xyxy[0]), max(first_xyxy[1], second_xyxy[1])
    right, bottom = min(first_xyxy[2], second_xyxy[2]), min(first_xyxy[3], second_xyxy[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first_xyxy, second_xyxy))
    return shared / (areas - shared) if areas > shared else 0.0

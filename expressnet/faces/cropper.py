"""Which face is cut out of a photograph."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from expressnet.config.crop import CropConfig
from expressnet.faces import alignment, blazeface, tiled_detection
from expressnet.faces.blazeface import Face

FOUND_BY = {name: f"found_by_{name}" for name in blazeface.FILES}
_TILE_MIN_SCORE = 0.7
_GIVEN_OVERLAP = 0.1  # a detection that overlaps the source's own box less is another person's


class Cut(NamedTuple):
    """A square and what was found out about the face in it.

    Attributes:
        square: uint8[size_px, size_px, 3], RGB.
        facts: the columns that crop adds to the manifest.
    """

    square: np.ndarray
    facts: dict[str, Any]


class Cropper:
    """Finds and cuts faces as the settings say; one instance per process."""

    def __init__(self, config: CropConfig) -> None:
        self._config = config
        self._detectors: dict[str, blazeface.Detector] = {}
        self._detector = self._model(config.detector_model)

    def _model(self, name: str) -> blazeface.Detector:
        if name not in self._detectors:
            self._detectors[name] = blazeface.Detector(blazeface.model_path(name), self._config.min_score)
        return self._detectors[name]

    def found_by(self, rgb: np.ndarray) -> dict[str, bool]:
        """Returns which of BlazeFace's models find a face in the whole image, by the columns FOUND_BY."""
        return {column: bool(self._model(name).detect(rgb)) for name, column in FOUND_BY.items()}

    def cut(self, rgb: np.ndarray, given_box_xyxy: tuple[int, ...] = ()) -> Cut:
        """Cuts one face out of an image; where there is none, takes the whole image.

        Args:
            rgb: uint8[height, width, 3].
            given_box_xyxy: the source's own face box, pixels, () where none. The detected face that overlaps it most
                is taken; where none does, the square around it.
        """
        found = self._detector.detect(rgb)
        if self._config.mode == "paper":
            return self._cut_paper(rgb, found)
        if self._config.mode == "whole":
            return self._whole(rgb, choose(found, self._config.face_choice, rgb.shape[:2]), len(found))
        if tiled_detection.needed(found, rgb.shape[:2]):
            found = tiled_detection.each_once(found + tiled_detection.detect(self._detector, rgb, _TILE_MIN_SCORE))
        face = choose(found, self._config.face_choice, rgb.shape[:2], given_box_xyxy)
        if face is not None:
            square = alignment.aligned(face, self._config.margin)
        elif given_box_xyxy:
            left, top, right, bottom = given_box_xyxy
            square = alignment.around((left, top, right, bottom), self._config.margin)
        else:
            return self._whole(rgb, None, len(found))
        pixels = alignment.cut(rgb, square, self._config.size_px)
        return Cut(pixels, _facts(face, len(found), square.box_xyxy, square.angle_deg))

    def _cut_paper(self, rgb: np.ndarray, found: list[Face]) -> Cut:
        if not found:
            return self._whole(rgb, None, 0)
        box_xyxy = alignment.paper_box(found[0], (rgb.shape[0], rgb.shape[1]))
        pixels = alignment.cut_paper(rgb, box_xyxy, self._config.size_px)
        return Cut(pixels, _facts(found[0], len(found), box_xyxy, 0.0))

    def _whole(self, rgb: np.ndarray, face: Face | None, num_faces: int) -> Cut:
        height, width = rgb.shape[:2]
        box_xyxy = (0, 0, width, height)
        pixels = (
            alignment.cut_paper(rgb, box_xyxy, self._config.size_px)
            if self._config.mode == "paper"
            else alignment.whole(rgb, self._config.size_px)
        )
        return Cut(pixels, _facts(face, num_faces, box_xyxy, 0.0))


def choose(
    faces: list[Face], choice: str, image_hw: tuple[int, ...], given_box_xyxy: tuple[int, ...] = ()
) -> Face | None:
    """Returns the face that is wanted, None where there is none.

    Args:
        faces: detections, most confident first.
        choice: `largest` or `central`.
        image_hw: height and width of the image, pixels.
        given_box_xyxy: the source's own box, which decides where it is given.
    """
    if given_box_xyxy:
        best = max(faces, key=lambda face: tiled_detection.overlap(face.box_xyxy, given_box_xyxy), default=None)
        is_it = best is not None and tiled_detection.overlap(best.box_xyxy, given_box_xyxy) >= _GIVEN_OVERLAP
        return best if is_it else None
    if choice == "central":
        middle = (image_hw[1] / 2, image_hw[0] / 2)
        return min(faces, key=lambda face: math.dist(face.centre_xy, middle), default=None)
    return max(faces, key=lambda face: face.area, default=None)


def _facts(face: Face | None, num_faces: int, box_xyxy: tuple[int, int, int, int], angle_deg: float) -> dict[str, Any]:
    return {
        "face_found": face is not None,
        "num_faces": num_faces,
        "score": face.score if face else 0.0,
        "box_xyxy": box_xyxy,
        "angle_deg": angle_deg,
        "face_width": face.box_xyxy[2] - face.box_xyxy[0] if face else 0.0,
        "yaw": yaw(face) if face else 0.0,
    }


def yaw(face: Face) -> float:
    """Returns how far the nose lies beside the middle of the eyes, along the eye line, in eye distances; -1..1.

    Positive where the face looks to the image's right. It grows with the angle but is no angle.
    """
    (left_x, left_y), (right_x, right_y) = face.eyes_xy
    across_x, across_y = right_x - left_x, right_y - left_y
    distance_squared = across_x**2 + across_y**2
    if not distance_squared:
        return 0.0
    beside_x, beside_y = face.nose_xy[0] - (left_x + right_x) / 2, face.nose_xy[1] - (left_y + right_y) / 2
    return max(-1.0, min(1.0, (beside_x * across_x + beside_y * across_y) / distance_squared))

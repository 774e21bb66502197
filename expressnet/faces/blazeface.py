"""BlazeFace through MediaPipe Tasks: where a face is, and where its eyes are."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from expressnet.runtime import storage

MODELS_DIR_VARIABLE = "EXPRESSNET_MODELS_DIR"
# The two files of the mediapipe 0.10.21 wheel; later wheels carry none.
FILES = {
    "short_range": (
        "face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "full_range": (
        "face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
}


class Face(NamedTuple):
    """One detection, in pixels of the image.

    Attributes:
        box_xyxy: float (left, top, right, bottom).
        eyes_xy: float ((x, y) of the eye on the image's left, the same on its right).
        nose_xy: float (x, y) of its tip.
        score: confidence, 0..1.
    """

    box_xyxy: tuple[float, float, float, float]
    eyes_xy: tuple[tuple[float, float], tuple[float, float]]
    nose_xy: tuple[float, float]
    score: float

    @property
    def area(self) -> float:
        """Of the box, square pixels."""
        left, top, right, bottom = self.box_xyxy
        return (right - left) * (bottom - top)

    @property
    def centre_xy(self) -> tuple[float, float]:
        """Of the box, pixels."""
        left, top, right, bottom = self.box_xyxy
        return (left + right) / 2, (top + bottom) / 2

    def moved(self, right_px: float, down_px: float) -> Face:
        """Returns the same face in an image that begins so much further left and up."""
        left, top, right, bottom = self.box_xyxy
        eyes = (
            (self.eyes_xy[0][0] + right_px, self.eyes_xy[0][1] + down_px),
            (self.eyes_xy[1][0] + right_px, self.eyes_xy[1][1] + down_px),
        )
        box = (left + right_px, top + down_px, right + right_px, bottom + down_px)
        return Face(box, eyes, (self.nose_xy[0] + right_px, self.nose_xy[1] + down_px), self.score)


def model_path(detector: str) -> Path:
    """Returns the verified model file.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is another file.
    """
    name, expected = FILES[detector]
    folder = os.environ.get(MODELS_DIR_VARIABLE) or Path(__file__).parents[2] / ".models" / "blazeface"
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"The BlazeFace model {path} is missing; `make setup` fetches it.")
    found = storage.file_sha256(path)
    if found != expected:
        raise ValueError(f"{path} has sha256 {found}, expected {expected}; delete it and run `make setup`.")
    return path


class Detector:
    """Finds faces in RGB images; one instance per process."""

    def __init__(self, path: Path, min_score: float):
        vision, base_options, self._mediapipe = _import_mediapipe()
        options = vision.FaceDetectorOptions(
            base_options=base_options(model_asset_path=str(path)), min_detection_confidence=min_score
        )
        self._detector = vision.FaceDetector.create_from_options(options)

    def detect(self, rgb: np.ndarray) -> list[Face]:
        """Returns the faces of uint8[height, width, 3], most confident first."""
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        height, width = rgb.shape[:2]
        return [_face(detection, width, height) for detection in self._detector.detect(image).detections]


def _face(detection: Any, width: int, height: int) -> Face:
    box = detection.bounding_box
    *eyes, nose = ((point.x * width, point.y * height) for point in detection.keypoints[:3])
    left, right = sorted(eyes)
    return Face(
        box_xyxy=(box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height),
        eyes_xy=(left, right),
        nose_xy=nose,
        score=detection.categories[0].score,
    )


def _import_mediapipe() -> tuple[Any, Any, Any]:
    # mediapipe posts usage metrics and has no switch for it; a proxy nobody answers keeps them in.
    os.environ["https_proxy"] = os.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ""
    # It also imports TensorFlow where it finds one (8 s, 700 MB) and does well without.
    sys.modules.setdefault("tensorflow", None)  # type: ignore[arg-type]
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    return vision, BaseOptions, mediapipe


def unpack(wheel: Path, folder: Path) -> None:
    """Takes the model files out of a mediapipe wheel, checking their SHA-256.

    Raises:
        ValueError: a file is missing or another one.
    """
    with zipfile.ZipFile(wheel) as archive:
        members = {PurePosixPath(name).name: name for name in archive.namelist()}
        for name, expected in FILES.values():
            data = archive.read(members[name]) if name in members else b""
            if storage.bytes_sha256(data) != expected:
                raise ValueError(f"{wheel.name} holds no {name} with sha256 {expected}; is it mediapipe 0.10.21?")
            storage.write_bytes(folder / name, data)


def _main(arguments: list[str]) -> int:
    if arguments[0] == "unpack":
        unpack(Path(arguments[1]), Path(arguments[2]))
    os.environ[MODELS_DIR_VARIABLE] = arguments[-1]
    for detector in FILES:
        model_path(detector)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

"""The settings of the stage crop."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

DETECTORS = ("short_range", "full_range")
# Which of several faces is cut out. `paper` takes the first detection, whatever its size.
FACE_CHOICES = ("largest", "first")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How a face is cut out of a photograph.

    Attributes:
        size_px: side of the square output, pixels.
        margin: context kept on every side, as a fraction of the box side.
        detector: BlazeFace model; short_range is the right one for portraits and tight crops.
        min_score: detections below this confidence are not faces, 0..1.
        face_choice: which of several faces is taken.
        num_workers: processes; 0 takes one per CPU.
    """

    size_px: int = 48
    margin: float = 0.1
    detector: str = "short_range"
    min_score: float = 0.5
    face_choice: str = "largest"
    num_workers: int = 0

    def __post_init__(self) -> None:
        require(8 <= self.size_px <= 1024, "size_px", "in 8..1024", self.size_px)
        require(0 <= self.margin < 1, "margin", "in [0, 1)", self.margin)
        require(self.detector in DETECTORS, "detector", f"one of {', '.join(DETECTORS)}", self.detector)
        require(0 <= self.min_score <= 1, "min_score", "in [0, 1]", self.min_score)
        require(self.face_choice in FACE_CHOICES, "face_choice", f"one of {FACE_CHOICES}", self.face_choice)
        require(self.num_workers >= 0, "num_workers", "0 (one per CPU) or a count", self.num_workers)

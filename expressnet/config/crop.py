"""The settings of the stage crop."""

from __future__ import annotations

import dataclasses
from typing import Any

from expressnet.config.base import require

AUTO = "auto"
CROP_MODES = ("aligned", "paper", "whole")
RUN_CROP_MODES = (AUTO, *CROP_MODES)  # auto: the one of the split's protocol
MAX_PARTS = 256  # iterations of one loop in Kubeflow, and groups of shards that share two leading digits
DETECTORS = (AUTO, "short_range", "full_range")
# Which of several faces is cut out in the mode `aligned`; `paper` takes the first detection, whatever its size.
FACE_CHOICES = ("largest", "central")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How a face is cut out of a photograph.

    Attributes:
        mode: `aligned` turns the eye line level and cuts a square; `paper` is the authors' upright box; `whole` keeps
            the whole image, for data sets of faces that are cut out already.
        size_px: side of the square output, pixels.
        margin: of `aligned`: context kept on every side, in face widths.
        detector: BlazeFace model; `auto` is short_range for `aligned`, the right one for portraits and tight crops,
            and the authors' full_range for `paper`.
        min_score: detections below this confidence are not faces, 0..1.
        face_choice: of `aligned`: which of several faces is taken.
        num_workers: processes; 0 takes one per CPU.
        pictures: whether the page shows crops, where the data set's licence allows it.
    """

    mode: str = "aligned"
    size_px: int = 48
    margin: float = 0.1
    detector: str = AUTO
    min_score: float = 0.5
    face_choice: str = "largest"
    num_workers: int = 0
    pictures: bool = False

    @classmethod
    def of_run(cls, *, mode: str, protocol: str, **settings: Any) -> CropConfig:
        """Returns the settings of a run, in which the mode `auto` is the one of the split's protocol."""
        if mode == AUTO:
            mode = "paper" if protocol == "paper" else "aligned"
        return cls(mode=mode, **settings)

    def __post_init__(self) -> None:
        require(self.mode in CROP_MODES, "mode", f"one of {', '.join(CROP_MODES)}", self.mode)
        require(8 <= self.size_px <= 1024, "size_px", "in 8..1024", self.size_px)
        require(0 <= self.margin < 1, "margin", "in [0, 1)", self.margin)
        require(self.detector in DETECTORS, "detector", f"one of {', '.join(DETECTORS)}", self.detector)
        require(
            self.mode != "paper" or self.detector != "short_range",
            "detector",
            "auto or full_range in the mode paper, whose authors used it",
            self.detector,
        )
        require(0 <= self.min_score <= 1, "min_score", "in [0, 1]", self.min_score)
        require(self.face_choice in FACE_CHOICES, "face_choice", f"one of {FACE_CHOICES}", self.face_choice)
        require(self.num_workers >= 0, "num_workers", "0 (one per CPU) or a count", self.num_workers)

    @property
    def detector_model(self) -> str:
        """The BlazeFace model that `detector` stands for."""
        if self.detector != AUTO:
            return self.detector
        return "full_range" if self.mode == "paper" else "short_range"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutConfig:
    """Which part of a data set's photographs is cut, where several pods share them.

    Attributes:
        part: its number, from 0.
        num_parts: how many there are.
    """

    part: int = 0
    num_parts: int = 1

    def __post_init__(self) -> None:
        require(1 <= self.num_parts <= MAX_PARTS, "num_parts", f"in 1..{MAX_PARTS}", self.num_parts)
        require(0 <= self.part < self.num_parts, "part", f"in 0..{self.num_parts - 1}", self.part)

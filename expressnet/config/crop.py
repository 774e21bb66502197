"""The settings of the stages crop and cut."""

from __future__ import annotations

from typing import Any, Literal

from expressnet.config.base import option, require, setting, settings

AUTO = "auto"
MAX_PARTS = 256  # iterations of one loop in Kubeflow, and groups of shards that share two leading digits


@settings
class CropConfig:
    """How a face is cut out of a photograph.

    The modes: `aligned` turns the eye line level and cuts a square; `paper` is the authors' upright box of the first
    detection, whatever its size; `whole` keeps the whole image, for data sets of faces that are cut out already.
    """

    mode: Literal["aligned", "paper", "whole"] = option(
        "aligned",
        "aligned (level eyes, square), paper (the authors' box), whole (the image as it is) or auto (paper with "
        "PROTOCOL=paper, else aligned)",
        name="crop_mode",
        derived=AUTO,
    )
    size_px: int = setting(48, "side of the square output, pixels", ge=8, le=1024)
    margin: float = option(0.1, "context around a face on every side, in face widths; of crop_mode=aligned", ge=0, lt=1)
    detector: Literal["auto", "short_range", "full_range"] = option(
        AUTO, "BlazeFace model; auto is short_range for aligned crops and the authors' full_range for paper"
    )
    min_score: float = setting(0.5, "detections below this confidence are not faces, 0..1", ge=0, le=1)
    face_choice: Literal["largest", "central"] = setting("largest", "which of several faces is taken; of mode=aligned")
    num_workers: int = setting(0, "processes; 0 takes one per CPU", ge=0, in_digest=False)
    pictures: bool = option(
        False,
        "show crops, and where the model looked, in the pages, if the data set's licence allows it",
        in_digest=False,
    )

    @classmethod
    def of_run(cls, *, protocol: str, **given: Any) -> CropConfig:
        """Returns the settings of a run, in which the protocol gives the mode where nobody chose one."""
        return cls(**{"mode": "paper" if protocol == "paper" else "aligned", **given})

    def __post_init__(self) -> None:
        require(
            self.mode != "paper" or self.detector != "short_range",
            "detector",
            "auto or full_range in the mode paper, whose authors used it",
            self.detector,
        )

    @property
    def detector_model(self) -> str:
        """The BlazeFace model that `detector` stands for."""
        if self.detector != AUTO:
            return self.detector
        return "full_range" if self.mode == "paper" else "short_range"


@settings
class CutConfig:
    """Which part of a data set's photographs is cut, where several pods share them."""

    part: int = setting(0, "its number, from 0", ge=0)
    num_parts: int = setting(1, "how many there are", ge=1, le=MAX_PARTS)

    def __post_init__(self) -> None:
        require(self.part < self.num_parts, "part", f"in 0..{self.num_parts - 1}", self.part)

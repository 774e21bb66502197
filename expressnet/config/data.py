"""The settings of the data stages: ingest, validate, crop, split."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

PROTOCOLS = ("honest", "paper")
DETECTORS = ("short_range", "full_range")
# Which of several faces is cut out. `paper` takes the first detection, whatever its size.
FACE_CHOICES = ("largest", "first")


@dataclasses.dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What is read.

    Attributes:
        dataset: a name of expressnet.datasets.
        limit: at most this many examples, a sample stratified by class and published split; 0 takes all.
        licence_accepted: whether the user acknowledged the data set's licence; recorded.
    """

    dataset: str = "demo"
    limit: int = 0
    licence_accepted: bool = False

    def __post_init__(self) -> None:
        require(self.limit >= 0, "limit", "0 (all) or a number of examples", self.limit)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidateConfig:
    """When the gate stops the run.

    Attributes:
        min_per_class: fewest examples a class may have.
        min_side_px: smallest width and height of an image, pixels.
        max_side_px: largest width and height of an image, pixels.
        max_bytes: largest file.
    """

    min_per_class: int = 10
    min_side_px: int = 16
    max_side_px: int = 12_000
    max_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        require(self.min_per_class >= 3, "min_per_class", "at least 3 (train, val, test)", self.min_per_class)
        require(0 < self.min_side_px <= self.max_side_px, "min_side_px", "in 1..max_side_px", self.min_side_px)
        require(self.max_bytes > 0, "max_bytes", "positive", self.max_bytes)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Who is trained on, selected on, tested on.

    Attributes:
        protocol: `honest` (train/val/test, nothing straddles) or `paper` (train/test, selected on test).
        seed: of the random draws; the paper's is 52.
        val_fraction: share of the training part that is held out for selection, in `honest`.
        test_fraction: share held out for the test where the data set publishes no test split.
    """

    protocol: str = "honest"
    seed: int = 52
    val_fraction: float = 0.1
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        require(self.protocol in PROTOCOLS, "protocol", f"one of {', '.join(PROTOCOLS)}", self.protocol)
        require(0 < self.val_fraction < 0.5, "val_fraction", "in (0, 0.5)", self.val_fraction)
        require(0 < self.test_fraction < 0.5, "test_fraction", "in (0, 0.5)", self.test_fraction)

"""The settings of every stage; the only home of a default."""

from __future__ import annotations

import dataclasses
from typing import Any

PROTOCOLS = ("honest", "paper")
DETECTORS = ("short_range", "full_range")
# Which of several faces is cut out. `paper` takes the first detection, whatever its size.
FACE_CHOICES = ("largest", "first")


def _require(condition: bool, name: str, requirement: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"{name} must be {requirement}; got {value!r}.")


def digest_fields(config: Any) -> dict[str, Any]:
    """Returns a stage's settings as plain values, for digests and provenance.

    The number of processes is left out: it changes how long a stage takes, not what comes out.
    """
    return {name: value for name, value in dataclasses.asdict(config).items() if name != "num_workers"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What is read.

    Attributes:
        dataset: name of a module of expressnet.datasets.
        limit: at most this many examples, a sample stratified by class and published split; 0 takes all.
    """

    dataset: str = "demo"
    limit: int = 0

    def __post_init__(self) -> None:
        _require(self.limit >= 0, "limit", "0 (all) or a number of examples", self.limit)


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
        _require(self.min_per_class >= 3, "min_per_class", "at least 3 (train, val, test)", self.min_per_class)
        _require(0 < self.min_side_px <= self.max_side_px, "min_side_px", "in 1..max_side_px", self.min_side_px)
        _require(self.max_bytes > 0, "max_bytes", "positive", self.max_bytes)


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
        _require(8 <= self.size_px <= 1024, "size_px", "in 8..1024", self.size_px)
        _require(0 <= self.margin < 1, "margin", "in [0, 1)", self.margin)
        _require(self.detector in DETECTORS, "detector", f"one of {', '.join(DETECTORS)}", self.detector)
        _require(0 <= self.min_score <= 1, "min_score", "in [0, 1]", self.min_score)
        _require(self.face_choice in FACE_CHOICES, "face_choice", f"one of {FACE_CHOICES}", self.face_choice)
        _require(self.num_workers >= 0, "num_workers", "0 (one per CPU) or a count", self.num_workers)


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
        _require(self.protocol in PROTOCOLS, "protocol", f"one of {', '.join(PROTOCOLS)}", self.protocol)
        _require(0 < self.val_fraction < 0.5, "val_fraction", "in (0, 0.5)", self.val_fraction)
        _require(0 < self.test_fraction < 0.5, "test_fraction", "in (0, 0.5)", self.test_fraction)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How certain the figures are said to be.

    Attributes:
        num_resamples: bootstrap resamples behind every interval.
        confidence: coverage of the intervals.
        seed: of the resampling.
    """

    num_resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.num_resamples >= 100, "num_resamples", "at least 100", self.num_resamples)
        _require(0.5 < self.confidence < 1, "confidence", "in (0.5, 1)", self.confidence)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromoteConfig:
    """What makes a challenger the champion.

    Attributes:
        intended_use: what the model will be used for, in the promoter's words; recorded with the decision.
        min_gain: a challenger must beat the champion's macro-F1 by more than this on the same test rows.
    """

    intended_use: str = ""
    min_gain: float = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.min_gain < 1, "min_gain", "in [0, 1)", self.min_gain)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How strongly training images are changed; zero everywhere changes nothing.

    Attributes:
        flip: probability of a horizontal mirror image.
        shift: largest shift along each axis, as a fraction of the side.
        rotation_deg: largest rotation either way, degrees.
        zoom: largest change of size: the factor lies between 1 / (1 + zoom) and 1 + zoom.
        brightness: largest amount added to all pixels, on the scale 0..1.
        contrast: largest change of contrast: the factor lies between 1 - contrast and 1 + contrast.
        erase: probability that a rectangle is painted over with the image's mean colour.
        erase_side: largest side of that rectangle, as a fraction of the image's side.
    """

    flip: float = 0.5
    shift: float = 0.08
    rotation_deg: float = 12.0
    zoom: float = 0.12
    brightness: float = 0.1
    contrast: float = 0.25
    erase: float = 0.25
    erase_side: float = 0.4

    def __post_init__(self) -> None:
        """Refuses probabilities and fractions outside 0..1, and angles beyond half a turn."""
        for field in dataclasses.fields(self):
            largest = 180 if field.name == "rotation_deg" else 1
            if not 0 <= getattr(self, field.name) <= largest:
                raise ValueError(f"{field.name} must be in [0, {largest}]; got {getattr(self, field.name)}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the network is trained; `RECIPES` holds the one that belongs to each preset.

    Attributes:
        preset: size of the network, a key of expressnet.model.presets.PRESETS.
        seed: of the initial weights, the sample order, dropout and augmentation.
        epochs: passes over the training split.
        batch_size: images per optimizer step, over all devices together.
        learning_rate: peak.
        schedule: `cosine` (linear warm-up, then half a cosine to 0) or `stepwise` (times `decay` at the start of
            every epoch, the first included).
        warmup_epochs: of `cosine`.
        decay: of `stepwise`.
        weight_decay: of AdamW; 0 is Adam.
        label_smoothing: share of the target spread over all classes.
        augment: how strongly the training images are changed, None leaves them as they are.
        select_by: the figure that chooses the epoch, `macro_f1` or `accuracy`, on val (protocol paper: on test).
        patience: stop after so many epochs without a lower selection loss; 0 never stops early.
    """

    preset: str = "small"
    seed: int = 52
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    decay: float = 1.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    augment: AugmentConfig | None = None
    select_by: str = "macro_f1"
    patience: int = 0

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        _require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _require(self.learning_rate > 0, "learning_rate", "positive", self.learning_rate)
        _require(self.schedule in ("cosine", "stepwise"), "schedule", "cosine or stepwise", self.schedule)
        _require(0 <= self.label_smoothing < 1, "label_smoothing", "in [0, 1)", self.label_smoothing)
        _require(self.select_by in ("macro_f1", "accuracy"), "select_by", "macro_f1 or accuracy", self.select_by)


RECIPES = {
    # The authors' procedure: Adam, x 0.95 an epoch, no augmentation, early stopping.
    "paper": TrainConfig(
        preset="paper", epochs=15, batch_size=32, learning_rate=1e-4, schedule="stepwise", decay=0.95,
        select_by="accuracy", patience=5,
    ),
    "small": TrainConfig(
        preset="small", epochs=30, batch_size=32, learning_rate=1.5e-3, warmup_epochs=1.5, weight_decay=1e-2,
        augment=AugmentConfig(),
    ),
    "tiny": TrainConfig(preset="tiny", epochs=20, batch_size=16, learning_rate=3e-3, warmup_epochs=1.0),
}  # fmt: skip
PRESETS = tuple(RECIPES)


def recipe(preset: str, *, seed: int, epochs: int = 0) -> TrainConfig:
    """Returns a preset's training settings; `epochs` 0 keeps the preset's own.

    Raises:
        ValueError: there is no such preset.
    """
    if preset not in RECIPES:
        raise ValueError(f"Unknown preset {preset!r}; known are {', '.join(PRESETS)}.")
    return dataclasses.replace(RECIPES[preset], seed=seed, epochs=epochs or RECIPES[preset].epochs)

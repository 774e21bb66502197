"""The settings of training; the only home of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Any

from expressnet.config.base import require


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


MOE_OPTIONS = ("renormalize", "gate_noise", "balance")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


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
        class_weights: how much more the loss of a rare class weighs: by its count to the power of minus this. 0 weighs
            all images alike, 1 all classes; the mean weight of a training image is 1.
        augment: how strongly the training images are changed, None leaves them as they are.
        backbone_weights: path or gs://bucket/object of pretrained weights (expressnet.training.backbone_weights); ""
            for none.
        backbone_sha256: of that file.
        initial_weights: path of another model's weights.safetensors, from which the whole network starts instead; ""
            for none.
        initial_sha256: of that file.
        moe: what the mixtures do beyond the paper, as `renormalize=1,gate_noise=0.5,balance=0.01`; see
            expressnet.model.moe.
        precision: `float32`, or `mixed_bfloat16` or `mixed_float16`: layers compute in 16 bits where that is safe, on
            float32 variables. The model that is written computes in float32.
        xla: whether XLA compiles the training step, which takes it minutes. On a GPU two such runs are alike only with
            XLA_FLAGS=--xla_gpu_deterministic_ops=true.
        crop_cache: whether crops are decoded once, into memory or a file of 3 * size_px^2 bytes each, instead of for
            every batch; the result is the same.
        test_time_flip: whether the model's answer is the mean over an image and its mirror image.
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
    class_weights: float = 0.0
    augment: AugmentConfig | None = None
    backbone_weights: str = ""
    backbone_sha256: str = ""
    initial_weights: str = ""
    initial_sha256: str = ""
    moe: str = ""
    precision: str = "float32"
    xla: bool = False
    crop_cache: bool = True
    test_time_flip: bool = False
    select_by: str = "macro_f1"
    patience: int = 0

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        require(self.learning_rate > 0, "learning_rate", "positive", self.learning_rate)
        require(self.schedule in ("cosine", "stepwise"), "schedule", "cosine or stepwise", self.schedule)
        require(0 <= self.label_smoothing < 1, "label_smoothing", "in [0, 1)", self.label_smoothing)
        require(0 <= self.class_weights <= 1, "class_weights", "in [0, 1]", self.class_weights)
        for part in filter(None, self.moe.split(",")):
            name, _, value = part.partition("=")
            is_number = value.replace(".", "", 1).isdigit()
            require(name in MOE_OPTIONS and is_number, "moe", "like renormalize=1,gate_noise=0.5,balance=0.01", part)
        require(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}", self.precision)
        require(self.select_by in ("macro_f1", "accuracy"), "select_by", "macro_f1 or accuracy", self.select_by)

    @property
    def moe_options(self) -> dict[str, Any]:
        """What the mixtures do beyond the paper, as fields of a preset."""
        parts = (part.partition("=") for part in filter(None, self.moe.split(",")))
        options: dict[str, Any] = {f"moe_{name}": float(value) for name, _, value in parts}
        if "moe_renormalize" in options:
            options["moe_renormalize"] = bool(options["moe_renormalize"])
        return options


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """How a training can be gone on with; the result does not depend on it.

    Attributes:
        every_s: seconds between two states within an epoch; every epoch ends with one anyway.
        mirror_uri: gs://bucket/prefix that gets a copy of every state, "" for none.
    """

    every_s: float = 300.0
    mirror_uri: str = ""

    def __post_init__(self) -> None:
        require(self.every_s >= 0, "every_s", "0 (after every step) or seconds", self.every_s)
        is_bucket = not self.mirror_uri or self.mirror_uri.startswith("gs://")
        require(is_bucket, "checkpoint_uri", "empty or gs://bucket/prefix", self.mirror_uri)


RECIPES = {
    # The authors' procedure: Adam, x 0.95 an epoch, no augmentation, early stopping.
    "paper": TrainConfig(
        preset="paper",
        epochs=15,
        batch_size=32,
        learning_rate=1e-4,
        schedule="stepwise",
        decay=0.95,
        select_by="accuracy",
        patience=5,
    ),
    "small": TrainConfig(
        preset="small",
        epochs=30,
        batch_size=64,
        learning_rate=2e-3,
        warmup_epochs=2.0,
        weight_decay=5e-2,
        augment=AugmentConfig(),
        test_time_flip=True,
    ),
    "tiny": TrainConfig(preset="tiny", epochs=20, batch_size=16, learning_rate=3e-3, warmup_epochs=1.0),
}
PRESETS = tuple(RECIPES)


def recipe(preset: str, *, seed: int, epochs: int = 0, **settings: Any) -> TrainConfig:
    """Returns a preset's training settings, some of them changed; `epochs` 0 keeps the preset's own.

    Raises:
        ValueError: there is no such preset.
    """
    if preset not in RECIPES:
        raise ValueError(f"Unknown preset {preset!r}; known are {', '.join(PRESETS)}.")
    own = RECIPES[preset]
    return dataclasses.replace(own, seed=seed, epochs=epochs or own.epochs, **settings)

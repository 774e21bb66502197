"""The settings of training; the only home of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

from expressnet.config.base import option, require, setting, settings

Preset = Literal["paper", "small", "tiny"]
PRESETS: tuple[str, ...] = get_args(Preset)
MOE_OPTIONS = ("renormalize", "gate_noise", "balance")


@settings
class AugmentConfig:
    """How strongly training images are changed; zero everywhere changes nothing."""

    flip: float = setting(0.5, "probability of a horizontal mirror image", ge=0, le=1)
    shift: float = setting(0.08, "largest shift along each axis, as a fraction of the side", ge=0, le=1)
    rotation_deg: float = setting(12.0, "largest rotation either way, degrees", ge=0, le=180)
    zoom: float = setting(0.12, "largest change of size: the factor lies in 1/(1+zoom)..1+zoom", ge=0, le=1)
    brightness: float = setting(0.1, "largest amount added to all pixels, on the scale 0..1", ge=0, le=1)
    contrast: float = setting(0.25, "largest change of contrast: the factor lies in 1-contrast..1+contrast", ge=0, le=1)
    erase: float = setting(0.25, "probability that a rectangle is painted in the image's mean colour", ge=0, le=1)
    erase_side: float = setting(0.4, "largest side of that rectangle, as a fraction of the image's", ge=0, le=1)


@settings
class TrainConfig:
    """How the network is trained; `RECIPES` holds the one that belongs to each preset."""

    preset: Preset = option(
        "small", "size of the network and its recipe: paper (224 px, 35.9 M parameters), small (48 px) or tiny (tests)"
    )
    # Of the initial weights, the sample order, dropout and augmentation.
    seed: int = option(52, "of the split and the training; the paper's is 52", ge=0)
    epochs: int = option(about="passes over the training split; 0 is the preset's own number", ge=1, derived=0)
    batch_size: int = option(
        about="images per optimizer step, over all devices together; 0 is the preset's own", ge=1, derived=0
    )
    learning_rate: float = option(about="peak learning rate; 0 is the preset's own", gt=0, derived=0.0)
    schedule: Literal["cosine", "stepwise"] = setting(
        "cosine", "linear warm-up, then half a cosine to 0; or times `decay` at the start of every epoch"
    )
    warmup_epochs: float = setting(0.0, "of schedule=cosine", ge=0)
    decay: float = setting(1.0, "of schedule=stepwise", gt=0)
    weight_decay: float = setting(0.0, "of AdamW; 0 is Adam", ge=0)
    label_smoothing: float = setting(0.1, "share of the target spread over all classes", ge=0, lt=1)
    # By a class's count to the power of minus this; the mean weight of a training image is 1.
    class_weights: float = option(
        0.0, "weight of rare classes in the loss: 0, all images weigh alike; 1, all classes do", ge=0, le=1
    )
    augment: AugmentConfig | None = setting(None, "how the training images are changed; None leaves them as they are")
    backbone_weights: str = option(
        "",
        "pretrained ResNet-50 (HDF5: VGGFace2 or keras.applications; a path or gs://bucket/object) for preset=paper",
        in_digest=False,
    )
    backbone_sha256: str = option("", "SHA-256 that the file of pretrained weights must have")
    initial_weights: str = setting(
        "", "weights.safetensors of another model, from which the whole network starts; empty for none", in_digest=False
    )
    initial_sha256: str = setting("", "SHA-256 of that file")
    moe: str = option("", "mixtures of experts beyond the paper, as renormalize=1,gate_noise=0.5,balance=0.01")
    # Layers compute in 16 bits where that is safe, on float32 variables; the model that is written computes in float32.
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "of the training; 16 bits are twice as fast where the processor has them"
    )
    # On a GPU two such runs are alike only with XLA_FLAGS=--xla_gpu_deterministic_ops=true.
    xla: bool = option(False, "let XLA compile the training step, which takes it minutes")
    crop_cache: bool = option(
        True,
        "decode the crops once, into memory or a file, instead of for every batch; the result is the same",
        in_digest=False,
    )
    test_time_flip: bool = setting(False, "the model's answer is the mean over an image and its mirror image")
    select_by: Literal["macro_f1", "accuracy"] = setting(
        "macro_f1", "the figure that chooses the epoch, on val (protocol paper: on test)"
    )
    patience: int = setting(0, "stop after so many epochs without a lower selection loss; 0 never stops early", ge=0)

    def __post_init__(self) -> None:
        for part in filter(None, self.moe.split(",")):
            name, _, value = part.partition("=")
            is_number = value.replace(".", "", 1).isdigit()
            require(name in MOE_OPTIONS and is_number, "moe", "like renormalize=1,gate_noise=0.5,balance=0.01", part)

    @property
    def moe_options(self) -> dict[str, Any]:
        """What the mixtures do beyond the paper, as fields of a preset."""
        parts = (part.partition("=") for part in filter(None, self.moe.split(",")))
        options: dict[str, Any] = {f"moe_{name}": float(value) for name, _, value in parts}
        if "moe_renormalize" in options:
            options["moe_renormalize"] = bool(options["moe_renormalize"])
        return options


@settings
class CheckpointConfig:
    """How a training can be gone on with; the result does not depend on it."""

    every_s: float = setting(
        300.0, "seconds between two states within an epoch, 0 for every step; every epoch ends with one anyway", ge=0
    )
    mirror_uri: str = option(
        "", "gs://bucket/prefix that gets a copy of every checkpoint, for nodes that vanish", name="checkpoint_uri"
    )

    def __post_init__(self) -> None:
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


def recipe(preset: str, **changed: Any) -> TrainConfig:
    """Returns a preset's training settings, some of them changed.

    Raises:
        ValueError: there is no such preset, or a setting makes no sense.

    >>> recipe("tiny", seed=1).epochs
    20
    """
    if preset not in RECIPES:
        raise ValueError(f"Unknown preset {preset!r}; known are {', '.join(PRESETS)}.")
    return dataclasses.replace(RECIPES[preset], **changed)

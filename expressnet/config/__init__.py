"""The settings of every stage; the only home of a default."""

from expressnet.config.base import digest_fields
from expressnet.config.data import (
    DETECTORS,
    FACE_CHOICES,
    PROTOCOLS,
    CropConfig,
    IngestConfig,
    SplitConfig,
    ValidateConfig,
)
from expressnet.config.evidence import EvaluateConfig, PromoteConfig
from expressnet.config.training import PRESETS, RECIPES, AugmentConfig, TrainConfig, recipe

__all__ = [
    "DETECTORS",
    "FACE_CHOICES",
    "PRESETS",
    "PROTOCOLS",
    "RECIPES",
    "AugmentConfig",
    "CropConfig",
    "EvaluateConfig",
    "IngestConfig",
    "PromoteConfig",
    "SplitConfig",
    "TrainConfig",
    "ValidateConfig",
    "digest_fields",
    "recipe",
]

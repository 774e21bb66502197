"""The settings of every stage; the only home of a default."""

from expressnet.config.base import chosen, digest_fields
from expressnet.config.crop import AUTO, CropConfig, CutConfig
from expressnet.config.decide import RetrainConfig
from expressnet.config.drift import DriftConfig
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.ingest import IngestConfig, SourceConfig
from expressnet.config.predict import ModelChoice, PredictConfig, ServeConfig
from expressnet.config.promote import PromoteConfig
from expressnet.config.split import SplitConfig
from expressnet.config.train import (
    PRESETS,
    RECIPES,
    AugmentConfig,
    CheckpointConfig,
    TrainConfig,
    recipe,
)
from expressnet.config.validate import ValidateConfig

__all__ = [
    "AUTO",
    "PRESETS",
    "RECIPES",
    "AugmentConfig",
    "CheckpointConfig",
    "CropConfig",
    "CutConfig",
    "DriftConfig",
    "EvaluateConfig",
    "IngestConfig",
    "ModelChoice",
    "PredictConfig",
    "PromoteConfig",
    "RetrainConfig",
    "ServeConfig",
    "SourceConfig",
    "SplitConfig",
    "TrainConfig",
    "ValidateConfig",
    "chosen",
    "digest_fields",
    "recipe",
]

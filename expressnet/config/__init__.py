"""The settings of every stage; the only home of a default."""

from expressnet.config.base import digest_fields
from expressnet.config.crop import AUTO, CROP_MODES, DETECTORS, FACE_CHOICES, RUN_CROP_MODES, CropConfig, CutConfig
from expressnet.config.decide import RetrainConfig
from expressnet.config.drift import DRIFT_ANSWERS, DriftConfig
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.ingest import LABEL_MODES, IngestConfig
from expressnet.config.predict import ModelChoice, PredictConfig, ServeConfig
from expressnet.config.promote import JURISDICTIONS, PromoteConfig
from expressnet.config.split import PROTOCOLS, SplitConfig
from expressnet.config.train import (
    PRECISIONS,
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
    "CROP_MODES",
    "DETECTORS",
    "DRIFT_ANSWERS",
    "FACE_CHOICES",
    "JURISDICTIONS",
    "LABEL_MODES",
    "PRECISIONS",
    "PRESETS",
    "PROTOCOLS",
    "RECIPES",
    "RUN_CROP_MODES",
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
    "SplitConfig",
    "TrainConfig",
    "ValidateConfig",
    "digest_fields",
    "recipe",
]

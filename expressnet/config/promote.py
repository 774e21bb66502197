"""The settings of the stage promote."""

from __future__ import annotations

from typing import Literal

from expressnet.config.base import option, setting, settings


@settings
class PromoteConfig:
    """What makes a challenger the champion."""

    intended_use: str = option(
        "", "what the model is for, in your words; recorded, and required to promote a model of real faces"
    )
    jurisdiction: Literal["eu", "none"] = option(
        "eu", "whose prohibitions the intended use is compared with; none compares with nothing"
    )
    min_gain: float = setting(
        0.0, "the lower end of the gain of macro-F1 over the champion's must exceed this", ge=0, lt=1
    )
    max_class_loss: float = setting(0.05, "no class may lose more recall than this with confidence", ge=0, lt=1)
    max_calibration_loss: float = setting(
        0.02, "the calibration error may not rise by more than this with confidence", ge=0, lt=1
    )
    num_resamples: int = setting(2000, "bootstrap resamples behind the intervals", ge=100)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0.5, lt=1)
    seed: int = setting(0, "of the resampling", ge=0)

"""The settings of evaluation and promotion."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require


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
        require(self.num_resamples >= 100, "num_resamples", "at least 100", self.num_resamples)
        require(0.5 < self.confidence < 1, "confidence", "in (0.5, 1)", self.confidence)


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
        require(0 <= self.min_gain < 1, "min_gain", "in [0, 1)", self.min_gain)

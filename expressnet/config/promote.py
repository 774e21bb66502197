"""The settings of the stage promote."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

JURISDICTIONS = ("eu", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromoteConfig:
    """What makes a challenger the champion.

    Attributes:
        intended_use: what the model will be used for, in the promoter's words; recorded with the decision, and asked
            for where the model was made of real faces.
        jurisdiction: whose prohibitions the intended use is compared with; none compares with nothing.
        min_gain: the lower end of the gain of macro-F1 over the champion's must exceed this.
        max_class_loss: no class may lose more recall than this with confidence.
        max_calibration_loss: the calibration error may not rise by more than this with confidence.
        num_resamples: bootstrap resamples behind the intervals.
        confidence: their coverage.
        seed: of the resampling.
    """

    intended_use: str = ""
    jurisdiction: str = "eu"
    min_gain: float = 0.0
    max_class_loss: float = 0.05
    max_calibration_loss: float = 0.02
    num_resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.jurisdiction in JURISDICTIONS, "jurisdiction", f"one of {', '.join(JURISDICTIONS)}", self.jurisdiction
        )
        for name in ("min_gain", "max_class_loss", "max_calibration_loss"):
            require(0 <= getattr(self, name) < 1, name, "in [0, 1)", getattr(self, name))
        require(self.num_resamples >= 100, "num_resamples", "at least 100", self.num_resamples)
        require(0.5 < self.confidence < 1, "confidence", "in (0.5, 1)", self.confidence)

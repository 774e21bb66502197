"""The settings of the stage evaluate."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How certain the figures are said to be, and what is shown.

    Attributes:
        num_resamples: bootstrap resamples behind every interval.
        confidence: coverage of the intervals.
        seed: of the resampling.
        min_slice: slices of fewer rows are shown, but not compared.
        dead_below: an expert that is chosen for a smaller share of the images is called dead.
        pictures: whether the page shows where the model looked, where the data set's licence allows it.
        num_pictures: how many examples it shows at most.
    """

    num_resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    min_slice: int = 30
    dead_below: float = 0.01
    pictures: bool = False
    num_pictures: int = 12

    def __post_init__(self) -> None:
        require(self.min_slice >= 2, "min_slice", "at least 2", self.min_slice)
        require(0 <= self.dead_below < 1, "dead_below", "in [0, 1)", self.dead_below)
        require(0 < self.num_pictures <= 48, "num_pictures", "in 1..48", self.num_pictures)
        require(self.num_resamples >= 100, "num_resamples", "at least 100", self.num_resamples)
        require(0.5 < self.confidence < 1, "confidence", "in (0.5, 1)", self.confidence)

"""The settings of the stage drift."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

DRIFT_ANSWERS = ("go", "stop")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftConfig:
    """When new photographs are said to be of another kind than those that the champion was made of.

    Attributes:
        on_drift: `go` trains on and tells; `stop` ends the run where a drift was seen twice in a row.
        sample: most new crops that the champion predicts, and most crops of its test split that it embeds anew.
        alpha: an alarm needs a p-value below this, after the correction for all figures.
        min_psi: and a population stability index of at least this; 0.2 is usually called a large shift.
        num_bins: of a number's index, with equally many of the champion's images in each; clusters of embeddings.
        num_permutations: of the test of embeddings, whose p-value can't fall below one in so many.
    """

    on_drift: str = "go"
    sample: int = 512
    alpha: float = 0.01
    min_psi: float = 0.2
    num_bins: int = 10
    num_permutations: int = 9999

    def __post_init__(self) -> None:
        require(self.on_drift in DRIFT_ANSWERS, "on_drift", f"one of {', '.join(DRIFT_ANSWERS)}", self.on_drift)
        require(self.sample >= 1, "sample", "at least 1", self.sample)
        require(0 < self.alpha < 1, "alpha", "in (0, 1)", self.alpha)
        require(self.min_psi >= 0, "min_psi", "0 or more", self.min_psi)
        require(self.num_bins >= 2, "num_bins", "at least 2", self.num_bins)
        require(self.num_permutations >= 99, "num_permutations", "at least 99", self.num_permutations)

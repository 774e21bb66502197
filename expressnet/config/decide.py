"""The settings of the stage decide."""

from __future__ import annotations

import dataclasses
import math

from expressnet.config.base import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrainConfig:
    """When the champion is trained anew.

    Attributes:
        min_new: fewest images that must have come, gone or changed their label; -1 for `min_share` of the champion's
            images, `min_count` at least; 0 for any change of the data. Another code or other settings are always
            enough.
        min_share: see there, 0..1.
        min_count: see there.
        warm_start: whether the training starts from the champion's weights.
    """

    min_new: int = -1
    min_share: float = 0.05
    min_count: int = 50
    warm_start: bool = False

    def __post_init__(self) -> None:
        require(self.min_new >= -1, "min_new", "a number of images, or -1 for a share of them", self.min_new)
        require(0 <= self.min_share <= 1, "min_share", "in [0, 1]", self.min_share)
        require(self.min_count >= 0, "min_count", "0 or more", self.min_count)

    def needed(self, num_examples: int) -> int:
        """Returns how many images must have changed where the champion's data set has `num_examples`."""
        return self.min_new if self.min_new >= 0 else max(self.min_count, math.ceil(self.min_share * num_examples))

"""The settings of the stage decide."""

from __future__ import annotations

import math

from expressnet.config.base import option, setting, settings


@settings
class RetrainConfig:
    """When the champion is trained anew. Other code or other settings are always reason enough."""

    min_new: int = option(
        -1,
        "fewest images that must have been added, removed or relabelled; 0: any change of the data; -1: 5 % of the "
        "champion's images, 50 at least",
        ge=-1,
    )
    min_share: float = setting(0.05, "of min_new=-1: share of the champion's images, 0..1", ge=0, le=1)
    min_count: int = setting(50, "of min_new=-1: fewest images", ge=0)
    warm_start: bool = option(False, "start the training from the champion's weights")

    def needed(self, num_examples: int) -> int:
        """Returns how many images must have changed where the champion's data set has `num_examples`."""
        return self.min_new if self.min_new >= 0 else max(self.min_count, math.ceil(self.min_share * num_examples))

"""The settings of the stage evaluate."""

from __future__ import annotations

from expressnet.config.base import option, setting, settings


@settings
class EvaluateConfig:
    """How certain the figures are said to be, and what is shown."""

    num_resamples: int = setting(2000, "bootstrap resamples behind every interval", ge=100)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0.5, lt=1)
    seed: int = setting(0, "of the resampling", ge=0)
    min_slice: int = setting(30, "slices of fewer rows are shown, but not compared", ge=2)
    dead_below: float = setting(
        0.01, "an expert that is chosen for a smaller share of the images is called dead", ge=0, lt=1
    )
    pictures: bool = option(
        False,
        "show crops, and where the model looked, in the pages, if the data set's licence allows it",
        in_digest=False,
    )
    num_pictures: int = setting(12, "examples that the page shows at most", ge=1, le=48)

"""The settings of the stage drift."""

from __future__ import annotations

from typing import Literal

from expressnet.config.base import option, setting, settings


@settings
class DriftConfig:
    """When new photographs are said to be of another kind than those that the champion was made of."""

    on_drift: Literal["go", "stop"] = option(
        "go", "go: train on photographs of another kind and say so; stop: end the run if they came twice in a row"
    )
    sample: int = setting(
        512, "most new crops that the champion predicts, and most crops of its test split that it embeds anew", ge=1
    )
    alpha: float = setting(0.01, "an alarm needs a p-value below this, corrected for all figures", gt=0, lt=1)
    min_psi: float = setting(
        0.2, "and a population stability index of at least this; 0.2 is usually called a large shift", ge=0
    )
    num_bins: int = setting(
        10, "of a number's index, with equally many of the champion's images in each; clusters of embeddings", ge=2
    )
    num_permutations: int = setting(
        9999, "of the test of embeddings, whose p-value can't fall below one in so many", ge=99
    )

"""Which pipelines there are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.profiles import Profile

OF_DATA = ("train", "retrain")  # take a data set and the options of `python -m pipelines run`
NAMES = (*OF_DATA, "predict", "promote")


def load(
    name: str, profile: Profile | None = None, *, lock: dict | None = None, allow_tags: bool = False, cache: bool = True
) -> Any:
    """Returns the compiled-on-import pipeline of module `pipelines.<name>`.

    With a profile its tasks are placed on that cluster, in the images of `lock`; without one nothing is applied.
    """
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    if profile is None:
        return pipeline
    from pipelines import placement

    return placement.placed(pipeline, profile, lock or {}, allow_tags=allow_tags, cache=cache)

"""Which pipelines there are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.profiles import Profile

OF_DATA = ("train", "retrain")  # take a data set
NAMES = (*OF_DATA, "predict", "promote")


def load(
    name: str,
    profile: Profile | None = None,
    *,
    lock: dict | None = None,
    allow_tags: bool = False,
    cache: bool = True,
    labels: Mapping[str, str] | None = None,
) -> Any:
    """Returns the compiled-on-import pipeline of module `pipelines.graphs.<name>`.

    With a profile its tasks are placed on that cluster, in the images of `lock`, their pods with `labels`; without one
    nothing is applied.
    """
    pipeline = getattr(importlib.import_module(f"pipelines.graphs.{name}"), name)
    if profile is None:
        return pipeline
    from pipelines import placement

    return placement.placed(pipeline, profile, lock or {}, allow_tags=allow_tags, cache=cache, labels=labels or {})

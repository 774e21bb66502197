"""Which pipelines there are."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.errors import RunError

if TYPE_CHECKING:
    from pipelines.profiles import Profile

OF_DATA = ("train", "retrain")  # take a data set and the options of `python -m pipelines run`
NAMES = (*OF_DATA, "predict", "promote")

_OF_RETRAIN = ("min_new", "warm_start", "on_drift")


def require_known(pipeline: str, given: Collection[str]) -> None:
    """Refuses options of a retraining where nothing is retrained.

    Raises:
        RunError: such an option is among `given`.
    """
    if pipeline != "retrain" and (others := [name for name in _OF_RETRAIN if name in given]):
        named = ", ".join(name.upper() for name in others)
        raise RunError(f"{named} belongs to PIPELINE=retrain; got PIPELINE={pipeline}.")


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

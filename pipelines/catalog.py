"""Which pipelines there are."""

from __future__ import annotations

import importlib
from typing import Any

OF_DATA = ("train", "retrain")  # take a data set and the options of `python -m pipelines run`
NAMES = (*OF_DATA, "predict", "promote")


def load(name: str) -> Any:
    """Returns the compiled-on-import pipeline of module `pipelines.<name>`."""
    return getattr(importlib.import_module(f"pipelines.{name}"), name)

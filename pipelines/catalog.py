"""Which pipelines there are."""

from __future__ import annotations

import importlib
from typing import Any

TRAINING = ("train",)
NAMES = (*TRAINING, "promote")


def load(name: str) -> Any:
    """Returns the compiled-on-import pipeline of module `pipelines.<name>`."""
    return getattr(importlib.import_module(f"pipelines.{name}"), name)

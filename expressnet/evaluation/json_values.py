"""Figures that are no numbers (0 / 0, infinity) must not end a run: they are dropped, and it is said which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> tuple[Any, list[str]]:
    """Turns nested figures into what JSON and a run view take.

    Args:
        value: dicts, lists, tuples, arrays and numpy scalars, nested.

    Returns:
        the same of Python's own types, None for every NaN and infinity; and the places of those, as `roc_auc.low`.

    >>> plain({"accuracy": np.float64(0.5), "roc_auc": {"low": math.nan}})
    ({'accuracy': 0.5, 'roc_auc': {'low': None}}, ['roc_auc.low'])
    """
    dropped: list[str] = []
    return _plain(value, "", dropped), dropped


def _plain(value: Any, place: str, dropped: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one, f"{place}.{name}".lstrip("."), dropped) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), place, dropped)
    if isinstance(value, list | tuple):
        return [_plain(one, f"{place}[{index}]", dropped) for index, one in enumerate(value)]
    if isinstance(value, np.generic):
        return _plain(value.item(), place, dropped)
    if isinstance(value, float) and not math.isfinite(value):
        dropped.append(place)
        return None
    return value


def known(figures: Mapping[str, Any]) -> dict[str, float]:
    """Returns the figures that are finite numbers, as floats."""
    kept, _ = plain(figures)
    return {name: float(value) for name, value in kept.items() if value is not None}

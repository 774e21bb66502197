"""Intervals of figures by drawing whole groups of rows again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from expressnet.config.evaluate import EvaluateConfig

_AT_ONCE = 64
_MOST_CELLS = 1 << 24  # of one block of draws, so that a million groups fit too


def codes(groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns int64[n], the number of every row's group, and how many groups there are."""
    names, group_of = np.unique(groups, return_inverse=True)
    return group_of, len(names)


def draws(num_groups: int, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draws `num_groups` groups with replacement, `num_resamples` times.

    Whole groups (persons, copies of one picture) are drawn, because their images are not independent (cluster
    bootstrap; Efron and Tibshirani 1993, An Introduction to the Bootstrap).

    Yields:
        float64[num_groups, some resamples], how often each group was drawn. The draws do not depend on how many come
        at a time.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, min(_AT_ONCE, _MOST_CELLS // num_groups))
    for start in range(0, num_resamples, at_once):
        count = min(at_once, num_resamples - start)
        drawn = generator.integers(num_groups, size=(count, num_groups))
        drawn += np.arange(count)[:, None] * num_groups
        counts = np.bincount(drawn.ravel(), minlength=count * num_groups).reshape(count, num_groups)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


def group_sums(columns: np.ndarray, group_of: np.ndarray, num_groups: int) -> np.ndarray:
    """Returns float64[f, groups], the sums of columns float[n, f] over every group."""
    columns = np.asarray(columns, np.float64)
    return np.array([np.bincount(group_of, column, minlength=num_groups) for column in columns.T])


def interval(value: Any, spread: np.ndarray, confidence: float) -> dict[str, Any]:
    """Returns a figure with the percentiles of its resamples.

    Args:
        value: on the rows themselves, a number or float[...].
        spread: float[resamples, ...]; resamples in which the figure is not defined (NaN) are left out.
        confidence: coverage, 0..1.

    Returns:
        value, low, high: numbers or lists; NaN where no resample has the figure.
    """
    tail = (1 - confidence) / 2
    flat = spread.reshape(len(spread), -1)
    ends = np.full((2, flat.shape[1]), np.nan)
    known = ~np.isnan(flat).all(axis=0)
    if known.any():
        ends[:, known] = np.nanquantile(flat[:, known], [tail, 1 - tail], axis=0)
    low, high = ends.reshape(2, *spread.shape[1:]).tolist()
    return {"value": np.asarray(value).tolist(), "low": low, "high": high}


def reflected(value: float, spread: np.ndarray, confidence: float) -> dict[str, Any]:
    """Returns a figure in 0..1 that resampling makes larger, with its interval reflected at the value.

    A calibration error adds up absolute gaps, and every resample adds noise to them: the percentiles lie above what is
    true. The basic bootstrap takes that off again (Davison and Hinkley 1997, Bootstrap Methods, section 5.2).
    """
    ends = interval(value, spread, confidence)
    low, high = (float(np.clip(2 * value - ends[end], 0, 1)) for end in ("high", "low"))
    return {"value": float(value), "low": low, "high": high}


def means(columns: np.ndarray, groups: np.ndarray, config: EvaluateConfig) -> list[dict[str, Any]]:
    """Returns the mean of every column with its interval.

    Args:
        columns: float[n, f]; NaN where a row does not count for a column.
        groups: [n], what is drawn together.
        config: resamples, confidence, seed.

    >>> is_right = np.array([[1.0], [1.0], [0.0], [1.0]])
    >>> people = np.array(["ann", "ann", "bob", "cid"])  # of ann there are two images
    >>> means(is_right, people, EvaluateConfig(num_resamples=1000))
    [{'value': 0.75, 'low': 0.0, 'high': 1.0}]
    """
    values, spread = _resampled_means(columns, groups, config)
    return [interval(value, each, config.confidence) for value, each in zip(values, spread.T, strict=True)]


def differences(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], groups: np.ndarray, config: EvaluateConfig
) -> list[dict[str, Any]]:
    """Returns the difference of the means of every pair of columns (see `means`), both drawn together."""
    if not pairs:
        return []
    values, spread = _resampled_means(np.column_stack([column for pair in pairs for column in pair]), groups, config)
    gaps, resampled = values[::2] - values[1::2], spread[:, ::2] - spread[:, 1::2]
    return [interval(gap, each, config.confidence) for gap, each in zip(gaps, resampled.T, strict=True)]


def _resampled_means(columns: np.ndarray, groups: np.ndarray, config: EvaluateConfig) -> tuple[np.ndarray, np.ndarray]:
    """Returns float[f] and float[resamples, f]."""
    group_of, num_groups = codes(groups)
    counted = ~np.isnan(columns)
    sums = group_sums(np.where(counted, columns, 0), group_of, num_groups)
    counts = group_sums(counted, group_of, num_groups)
    spread = [_ratios(sums @ drawn, counts @ drawn) for drawn in draws(num_groups, config.num_resamples, config.seed)]
    return _ratios(sums.sum(axis=1), counts.sum(axis=1)), np.concatenate(spread, axis=1).T


def _ratios(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def shown(figure: Mapping[str, Any], place: int | None = None) -> str:
    """Writes a figure with its interval, of one class where `place` says which; None is what was not finite.

    >>> shown({"value": 0.672, "low": 0.657, "high": 0.687})
    '0.672 (0.657 to 0.687)'
    """
    value, low, high = (figure[key] if place is None else figure[key][place] for key in ("value", "low", "high"))
    if value is None:
        return "not defined"
    return f"{value:.3f} (no interval)" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"

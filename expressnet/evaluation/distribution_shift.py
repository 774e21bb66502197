"""How far two samples of the same figures lie apart, and whether that is chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.cluster import KMeans

from expressnet.evaluation import energy_distance

_SEED = 0  # of clusters and permutations: the same samples, the same answer


class Shift(NamedTuple):
    """One figure in two samples.

    Attributes:
        name: of the figure.
        num_before: values of the first sample.
        num_new: of the second.
        psi: population stability index, 0 for the same distribution.
        p_value: of a two-sample test, corrected for all figures.
        is_alarm: whether both say that they differ.
    """

    name: str
    num_before: int
    num_new: int
    psi: float
    p_value: float
    is_alarm: bool


def compare(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    alpha: float,
    min_psi: float,
    num_bins: int,
    num_permutations: int,
) -> list[Shift]:
    """Compares figures in two samples, the first of which is the reference.

    Numbers are compared by the test of Kolmogorov and Smirnov, vectors by their energy distance (see
    expressnet.evaluation.energy_distance), everything else by a chi-squared test of the counts.
    P-values are corrected for many tests of whatever dependence (Benjamini and Yekutieli 2001).

    Args:
        pairs: by figure, values[n] before and values[m] now; numbers are float or int arrays, vectors have a
            second axis, all else are categories.
        alpha: an alarm needs a corrected p-value below this.
        min_psi: and an index of at least this.
        num_bins: of a number's index, and clusters of that of vectors.
        num_permutations: of the test of vectors.

    Returns:
        One per figure, in the same order.
    """
    if not pairs:
        return []
    psis, p_values = [], []
    for before, now in pairs.values():
        if before.ndim == 2:
            counts = clustered(before, now, num_bins)
            p_values.append(energy_distance.p_value(before, now, num_permutations=num_permutations, seed=_SEED))
        elif np.issubdtype(before.dtype, np.number):
            counts = binned(before, now, num_bins)
            p_values.append(float(stats.ks_2samp(before, now, method="asymp").pvalue))
        else:
            counts = counted(before, now)
            p_values.append(_chi2(*counts))
        psis.append(psi(*counts))
    corrected = stats.false_discovery_control(p_values, method="by")
    return [
        Shift(name, len(before), len(now), index, float(p_value), bool(p_value < alpha and index >= min_psi))
        for (name, (before, now)), index, p_value in zip(pairs.items(), psis, corrected, strict=True)
    ]


def counted(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns int64[categories] twice, how often each category of either sample occurs in each."""
    categories, places = np.unique(np.concatenate([before, now]), return_inverse=True)
    first, second = (np.bincount(part, minlength=len(categories)) for part in np.split(places, [len(before)]))
    return first, second


def binned(before: np.ndarray, now: np.ndarray, num_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns int64[bins] twice, how many values fall between quantiles of `before`; equal quantiles are one."""
    edges = np.unique(np.quantile(before, np.arange(1, num_bins) / num_bins))
    first, second = (
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) for values in (before, now)
    )
    return first, second


def clustered(before: np.ndarray, now: np.ndarray, num_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns int64[clusters] twice, how many vectors of each sample fall into each cluster of both together.

    Clusters of one sample alone would not see another that lies beside all of them.
    """
    joined = np.concatenate([before, now]).astype(np.float64)
    num_clusters = min(num_clusters, len(np.unique(joined, axis=0)))
    places = KMeans(num_clusters, n_init=1, random_state=_SEED).fit_predict(joined)
    return counted(*np.split(places, [len(before)]))


def psi(before: np.ndarray, now: np.ndarray) -> float:
    """Returns the population stability index of counts int[bins].

    It is the sum of (q - p) log(q / p) over the bins, of shares in which every bin holds half a value more than it
    does, so that an empty one makes it large and not infinite.

    >>> before = np.array([500, 500])
    >>> round(psi(before, np.array([500, 500])), 3), round(psi(before, np.array([700, 300])), 3)
    (0.0, 0.169)
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, now))
    return float(((q - p) * np.log(q / p)).sum())


def _chi2(before: np.ndarray, now: np.ndarray) -> float:
    # Of one category only, nothing can differ.
    return float(stats.chi2_contingency([before, now]).pvalue) if len(before) > 1 else 1.0

"""How well scores rank: areas under ROC curves, of many weighted resamples at once."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_curve

_MOST_POINTS = 101


class Ranked:
    """Rows sorted once by every class's probability, so that a resample costs no sorting."""

    def __init__(self, labels: np.ndarray, probabilities: np.ndarray):
        """Sorts; labels int[n], probabilities float[n, classes]."""
        self._classes = [_Class(labels == place, scores) for place, scores in enumerate(probabilities.T)]

    def areas(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Returns one-vs-rest areas under the ROC curve.

        Args:
            weights: float[n, resamples], how often every row counts.

        Returns:
            roc_auc: float[resamples], the mean over the classes that have one; roc_auc_by_class: float[resamples,
            classes]. NaN for a class that no row has, or every row, and where all classes are so.
        """
        weights = np.asarray(weights, np.float32)  # exact: counts stay below 2^24
        by_class = np.stack([each.area(weights) for each in self._classes], axis=1)
        known = ~np.isnan(by_class)
        sums, counts = np.where(known, by_class, 0).sum(axis=1), known.sum(axis=1)
        mean = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return {"roc_auc": mean, "roc_auc_by_class": by_class}


class _Class:
    def __init__(self, is_positive: np.ndarray, scores: np.ndarray):
        negative, positive = np.flatnonzero(~is_positive), np.flatnonzero(is_positive)
        self._negative = negative[np.argsort(scores[negative], kind="stable")]
        self._positive = positive[np.argsort(scores[positive], kind="stable")]
        ranked = scores[self._negative]
        self._below = np.searchsorted(ranked, scores[self._positive], side="left")
        self._upto = np.searchsorted(ranked, scores[self._positive], side="right")

    def area(self, weights: np.ndarray) -> np.ndarray:
        """Returns the share of the pairs of a positive and a negative row that are in order; a tie is half a pair."""
        below = np.zeros((len(self._negative) + 1, weights.shape[1]), np.float32)
        np.cumsum(weights[self._negative], axis=0, out=below[1:])
        positive = weights[self._positive]
        ordered = (below[self._below] + below[self._upto]) / 2
        in_order = np.einsum("nr,nr->r", positive.astype(np.float64), ordered)
        pairs = positive.sum(axis=0, dtype=np.float64) * below[-1]
        return np.divide(in_order, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def curve(is_positive: np.ndarray, scores: np.ndarray) -> list[tuple[float, float, float]]:
    """Returns at most 101 points (false positive rate, true positive rate, threshold) of a ROC curve.

    The threshold of the first point, which nothing reaches, is 1, for scikit-learn's infinity is no number that a run
    view takes. [] where one of the two kinds does not occur.

    >>> curve(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))
    [(0.0, 0.0, 1.0), (0.0, 0.5, 0.9), (1.0, 0.5, 0.8), (1.0, 1.0, 0.7)]
    """
    if is_positive.all() or not is_positive.any():
        return []
    false, true, thresholds = roc_curve(is_positive, scores)
    places = np.unique(np.linspace(0, len(false) - 1, _MOST_POINTS).round().astype(int))
    points = np.column_stack([false, true, np.minimum(thresholds, 1.0)])[places]
    return [(point[0], point[1], point[2]) for point in points.tolist()]

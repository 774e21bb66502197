"""Figures with intervals, computed from labels and probabilities alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, log_loss, roc_curve

_ROC_POINTS = 100
HEADLINES = ("accuracy", "macro_precision", "macro_recall", "macro_f1")


def headline(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Returns cross-entropy (nats), accuracy and macro-F1 of probabilities float[n, classes]."""
    classes = range(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    exact = probabilities.astype(np.float64)  # float32 rows sum to 1 within 1e-6 only
    return {
        "loss": float(log_loss(labels, exact / exact.sum(axis=1, keepdims=True), labels=classes)),
        "accuracy": float((predicted == labels).mean()),
        "macro_f1": float(f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)),
    }


def from_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the usual figures from confusion counts.

    Args:
        confusion: number[..., classes, classes], row = true class; leading axes are kept.

    Returns:
        accuracy, macro_precision, macro_recall, macro_f1: float[...]; precision, recall, f1: float[..., classes].
        A class that is never predicted has precision 0, a class that never occurs has recall 0, as in
        scikit-learn with zero_division=0.
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    actual, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision = np.divide(right, predicted, out=np.zeros_like(right), where=predicted > 0)
    recall = np.divide(right, actual, out=np.zeros_like(right), where=actual > 0)
    f1 = np.divide(2 * right, actual + predicted, out=np.zeros_like(right), where=actual + predicted > 0)
    return {
        "accuracy": right.sum(axis=-1) / confusion.sum(axis=(-2, -1)),
        "macro_precision": precision.mean(axis=-1),
        "macro_recall": recall.mean(axis=-1),
        "macro_f1": f1.mean(axis=-1),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def with_intervals(
    labels: np.ndarray, predicted: np.ndarray, groups: np.ndarray, num_classes: int, *,
    num_resamples: int, confidence: float, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Computes the figures and their percentile bootstrap intervals.

    Whole groups (persons, where they are known) are drawn with replacement, because images of one person are
    not independent (cluster bootstrap; Efron and Tibshirani 1993, An Introduction to the Bootstrap).

    Args:
        labels: int[n], true classes.
        predicted: int[n], predicted classes.
        groups: [n], what is drawn together.
        num_classes: number of classes.
        num_resamples: bootstrap resamples.
        confidence: coverage, 0..1.
        seed: of the resampling.

    Returns:
        For every figure of `from_confusion` a dict with value, low and high; lists for per-class figures.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    num_groups = group_of.max() + 1
    per_group = np.zeros((num_groups, num_classes, num_classes))
    np.add.at(per_group, (group_of, labels, predicted), 1)
    drawn = np.random.default_rng(seed).multinomial(num_groups, np.full(num_groups, 1 / num_groups), num_resamples)
    resampled = (drawn @ per_group.reshape(num_groups, -1)).reshape(-1, num_classes, num_classes)
    values, spread = from_confusion(per_group.sum(axis=0)), from_confusion(resampled)
    tail = (1 - confidence) / 2
    return {
        name: {
            "value": values[name].tolist(),
            "low": np.quantile(spread[name], tail, axis=0).tolist(),
            "high": np.quantile(spread[name], 1 - tail, axis=0).tolist(),
        }
        for name in values
    }


def confusion(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns int[classes, classes], row = true class, column = predicted class."""
    return confusion_matrix(labels, predicted, labels=range(num_classes))


def roc(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, list[float]]:
    """Computes the receiver operating characteristic of "is this the class?", over all images and classes alike.

    Args:
        labels: int[n], true classes.
        probabilities: float[n, classes].

    Returns:
        fpr, tpr, threshold: at most 100 points from (0, 0) to (1, 1), evenly spread along the curve's own points.
        The first threshold, which no probability reaches, is 1 and not scikit-learn's infinity.
    """
    is_class = labels[:, None] == np.arange(probabilities.shape[1])
    fpr, tpr, threshold = roc_curve(is_class.ravel(), probabilities.ravel())
    picked = np.unique(np.linspace(0, len(fpr) - 1, _ROC_POINTS).round().astype(int))
    return {
        "fpr": fpr[picked].tolist(),
        "tpr": tpr[picked].tolist(),
        "threshold": np.minimum(threshold[picked], 1).tolist(),
    }

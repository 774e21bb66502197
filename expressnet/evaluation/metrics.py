"""Figures with intervals, computed from labels and probabilities alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, log_loss

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import bootstrap, calibration, roc

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
        accuracy, balanced_accuracy, macro_precision, macro_recall, macro_f1: float[...]; precision, recall, f1,
        one_vs_rest_accuracy: float[..., classes]. A class that is never predicted has precision 0, a class that never
        occurs has recall 0, as in scikit-learn with zero_division=0; the balanced accuracy leaves such a class out.

    >>> figures = from_confusion([[8, 2], [1, 9]])
    >>> float(figures["accuracy"]), figures["recall"].tolist()
    (0.85, [0.8, 0.9])
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    actual, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision = np.divide(right, predicted, out=np.zeros_like(right), where=predicted > 0)
    recall = np.divide(right, actual, out=np.zeros_like(right), where=actual > 0)
    f1 = np.divide(2 * right, actual + predicted, out=np.zeros_like(right), where=actual + predicted > 0)
    count = confusion.sum(axis=(-2, -1))
    wrong = actual + predicted - 2 * right
    return {
        "accuracy": right.sum(axis=-1) / count,
        "balanced_accuracy": recall.sum(axis=-1) / (actual > 0).sum(axis=-1),
        "macro_precision": precision.mean(axis=-1),
        "macro_recall": recall.mean(axis=-1),
        "macro_f1": f1.mean(axis=-1),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "one_vs_rest_accuracy": 1 - wrong / count[..., None],
    }


def with_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    config: EvaluateConfig,
    tempered: np.ndarray | None = None,
) -> dict[str, Any]:
    """Computes all figures and their bootstrap intervals.

    Args:
        labels: int[n], true classes.
        probabilities: float[n, classes].
        groups: [n], what is drawn together.
        config: resamples, confidence, seed.
        tempered: float[n, classes], the probabilities after temperature scaling, None where there is no temperature.

    Returns:
        For every figure of `from_confusion`, `roc_auc`, `roc_auc_by_class`, `log_loss` and `calibration_error`, the
        last two also as `..._tempered`, a dict with value, low and high; lists for figures of classes. NaN where a
        figure is not defined.
    """
    num_classes = probabilities.shape[1]
    named = {"": probabilities} if tempered is None else {"": probabilities, "_tempered": tempered}
    group_of, num_groups = bootstrap.codes(groups)
    cells = np.eye(num_classes**2)[labels * num_classes + probabilities.argmax(axis=1)]
    sums = bootstrap.group_sums(np.hstack([cells, *_columns(labels, named.values())]), group_of, num_groups)
    ranked = roc.Ranked(labels, probabilities)

    def figures(drawn: np.ndarray) -> dict[str, np.ndarray]:
        added = sums @ drawn
        confusions = added[: num_classes**2].T.reshape(-1, num_classes, num_classes)
        likely = _of_probabilities(added[num_classes**2 :], confusions.sum(axis=(1, 2)), list(named))
        return from_confusion(confusions) | likely | ranked.areas(drawn[group_of])

    values = figures(np.ones((num_groups, 1)))
    parts = [figures(drawn) for drawn in bootstrap.draws(num_groups, config.num_resamples, config.seed)]
    spread = {name: np.concatenate([part[name] for part in parts]) for name in values}
    return {
        name: (bootstrap.reflected if name.startswith("calibration_error") else bootstrap.interval)(
            values[name][0], spread[name], config.confidence
        )
        for name in values
    }


def _columns(labels: np.ndarray, each: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Returns, for each kind of probabilities, what log loss and calibration error are added up of."""
    return [np.column_stack([calibration.log_losses(labels, one), calibration.gaps(labels, one)]) for one in each]


def _of_probabilities(added: np.ndarray, counts: np.ndarray, endings: list[str]) -> dict[str, np.ndarray]:
    """Returns log loss and calibration error from sums of `_columns` float[columns, resamples]."""
    found = {}
    for ending, part in zip(endings, np.split(added, len(endings)), strict=True):
        found[f"log_loss{ending}"] = part[0] / counts
        found[f"calibration_error{ending}"] = np.abs(part[1:]).sum(axis=0) / counts
    return found


def confusion(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns int[classes, classes], row = true class, column = predicted class."""
    return confusion_matrix(labels, predicted, labels=range(num_classes))

"""Whether a probability means what it says, and the one number that corrects most of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

NUM_BINS = 15
_TINIEST = 1e-12  # a probability of 0 would say that nothing can be learnt from the row
_LOG_RANGE = (np.log(0.05), np.log(20.0))


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns float64[n], minus the logarithm of the true class's probability, nats."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels].astype(np.float64), _TINIEST))


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the temperature that makes held-out rows most likely (Guo et al. 2017, section 4.2).

    Args:
        labels: int[n], true classes.
        probabilities: float[n, classes].

    Raises:
        ValueError: there is no row.
    """
    if not len(labels):
        raise ValueError("A temperature needs rows that the model was not trained on; got none.")
    found = minimize_scalar(
        lambda log: log_losses(labels, scaled(probabilities, float(np.exp(log)))).mean(),
        bounds=_LOG_RANGE,
        method="bounded",
    )
    return float(np.exp(found.x))


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns float64[n, classes], softmax(log(p) / temperature): the same classes, surer below 1, less sure above.

    >>> scaled(np.array([[0.9, 0.1]]), 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), _TINIEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def gaps(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns float64[n, NUM_BINS]: in the bin of the row's highest probability, that minus 1 if right, else minus 0.

    The expected calibration error is the sum over the bins of the absolute sums over the rows, divided by the number
    of rows (Naeini et al. 2015), with bins of equal width.
    """
    sure = probabilities.max(axis=1).astype(np.float64)
    found = np.zeros((len(labels), NUM_BINS))
    found[np.arange(len(labels)), bins(sure)] = sure - (probabilities.argmax(axis=1) == labels)
    return found


def bins(sure: np.ndarray) -> np.ndarray:
    """Returns int[n], the bin of probabilities float[n]."""
    return np.minimum((sure * NUM_BINS).astype(int), NUM_BINS - 1)


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Returns the bins that have rows: low, high, num_rows, confidence (mean of the highest probability), accuracy."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = bins(sure)
    return [
        {
            "low": each / NUM_BINS,
            "high": (each + 1) / NUM_BINS,
            "num_rows": int((place == each).sum()),
            "confidence": float(sure[place == each].mean()),
            "accuracy": float(right[place == each].mean()),
        }
        for each in np.unique(place).tolist()
    ]

"""Which experts answer for which pictures, and what they are worth."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import bootstrap

_NO_CHOICE = 1e-4  # gates that differ by less over the images are the same for all


def of(
    gates: np.ndarray,
    without: np.ndarray,
    predicted: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    top_k: int,
    num_classes: int,
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Describes one mixture.

    Args:
        gates: float[n, experts], each row sums to 1.
        without: int[n, experts], the class that is predicted when an expert is switched off.
        predicted: int[n], the class with all experts.
        labels: int[n], true classes.
        groups: [n], what is drawn together.
        top_k: experts mixed for an image.
        num_classes: number of classes.
        config: resamples, confidence, seed, and when an expert is dead.

    Returns:
        num_experts, top_k; gates_by_class and usage_by_class float[classes][experts], the mean gate and the share of a
        class's images that choose the expert; usage float[experts]; load_variation, the standard deviation of the
        usage over its mean; entropy of the gates as a share of the largest possible; pairs chosen together; dead
        experts; is_constant, whether all images get the same gates; lost, the accuracy lost without each expert.
    """
    num_experts = gates.shape[1]
    chosen = chosen_experts(gates, top_k)
    usage = chosen.mean(axis=0)
    wrong_without = (predicted == labels)[:, None].astype(float) - (without == labels[:, None])
    return {
        "num_experts": num_experts,
        "top_k": top_k,
        "gates_by_class": mean_by_class(gates, labels, num_classes),
        "usage_by_class": mean_by_class(chosen.astype(float), labels, num_classes),
        "usage": usage.tolist(),
        "load_variation": float(usage.std() / usage.mean()),
        "entropy": _entropy(gates),
        "pairs": _pairs(chosen),
        "dead": np.flatnonzero(usage < config.dead_below).tolist(),
        "is_constant": bool((np.ptp(gates, axis=0) < _NO_CHOICE).all()),
        "lost": bootstrap.means(wrong_without, groups, config),
    }


def chosen_experts(gates: np.ndarray, top_k: int) -> np.ndarray:
    """Returns bool[n, experts], those with the `top_k` largest gates; of equal ones the first, as in the model."""
    order = np.argsort(-gates, axis=1, kind="stable")[:, :top_k]
    chosen = np.zeros(gates.shape, bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def mean_by_class(values: np.ndarray, labels: np.ndarray, num_classes: int) -> list[list[float]]:
    """Returns the mean of values float[n, k] for every class, zeros for a class without examples."""
    sums = np.zeros((num_classes, values.shape[1]))
    np.add.at(sums, labels, values)
    return (sums / np.maximum(np.bincount(labels, minlength=num_classes), 1)[:, None]).tolist()


def _entropy(gates: np.ndarray) -> float:
    """Returns the mean entropy of the gates over that of equal gates: 0, one expert decides; 1, all alike."""
    if gates.shape[1] == 1:
        return 0.0
    known = np.maximum(gates.astype(np.float64), 1e-12)
    return float(-(known * np.log(known)).sum(axis=1).mean() / np.log(gates.shape[1]))


def _pairs(chosen: np.ndarray) -> list[dict[str, Any]]:
    """Returns the pairs of experts that are chosen together, with the share of the images, most frequent first."""
    shares = {pair: float(chosen[:, pair].all(axis=1).mean()) for pair in combinations(range(chosen.shape[1]), 2)}
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return [{"experts": list(pair), "share": share} for pair, share in ordered if share]

"""All figures of an evaluation, computed from stored answers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import calibration, expert_usage, label_noise, labelled_predictions, metrics, roc, slices

NO_TEMPERATURE = "the protocol paper has no validation split to fit a temperature on"


def of(
    test: pd.DataFrame, val: pd.DataFrame, classes: list[str], top_k: dict[str, int], config: EvaluateConfig
) -> dict[str, Any]:
    """Computes the figures.

    Args:
        test: answers for the test split; see expressnet.evaluation.labelled_predictions.
        val: answers for the validation split, none under the protocol `paper`.
        classes: in the order of the probabilities.
        top_k: experts mixed for an image, by the mixture's prefix.
        config: resamples, confidence, seed, and what is shown.
    """
    labels, probabilities = labelled_predictions.labels(test, classes), labelled_predictions.probabilities(test)
    predicted, groups = probabilities.argmax(axis=1), test["group"].to_numpy()
    confusion = metrics.confusion(labels, predicted, len(classes))
    support = confusion.sum(axis=1).tolist()
    return {
        **_about(test, labels, config),
        **_likely(labels, probabilities, groups, _temperature(val, classes), config),
        "confusion": confusion.tolist(),
        "support": support,
        "roc": {name: roc.curve(labels == place, probabilities[:, place]) for place, name in enumerate(classes)},
        "roc_all": roc.curve(np.eye(len(classes), dtype=bool)[labels].ravel(), probabilities.ravel()),
        "slices": slices.of(test, labels, predicted, len(classes), config),
        "label_noise": label_noise.by_class(suspects(test, classes), support, classes),
        "votes": label_noise.agreement(test, labels, predicted, config),
        "experts": {
            name: expert_usage.of(
                labelled_predictions.matrix(test[f"{prefix}_gates"]),
                labelled_predictions.matrix(test[f"{prefix}_without"]),
                predicted,
                labels,
                groups,
                top_k=top_k[prefix],
                num_classes=len(classes),
                config=config,
            )
            for name, prefix in labelled_predictions.MIXTURES.items()
        },
    }


def _about(test: pd.DataFrame, labels: np.ndarray, config: EvaluateConfig) -> dict[str, Any]:
    """Returns what the figures are of, and how certain they are said to be."""
    is_answered = np.isfinite(labelled_predictions.matrix(test["probabilities"])).all(axis=1)
    return {
        "num_test": len(test),
        "num_groups": int(test["group"].nunique()),
        "num_without_answer": int((~is_answered).sum()),
        "majority_rate": float(np.bincount(labels).max() / len(labels)),
        "confidence": config.confidence,
        "num_resamples": config.num_resamples,
        "headlines": list(metrics.HEADLINES),
    }


def _likely(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    temperature: float | None,
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Returns the figures with their intervals, and the bins of the reliability diagram."""
    tempered = None if temperature is None else calibration.scaled(probabilities, temperature)
    found = metrics.with_intervals(labels, probabilities, groups, config, tempered)
    return {
        "metrics": found,
        "one_vs_rest_accuracy": found["one_vs_rest_accuracy"]["value"],
        "temperature": temperature,
        "no_temperature": NO_TEMPERATURE if temperature is None else "",
        "reliability": calibration.reliability(labels, probabilities),
        "reliability_tempered": [] if tempered is None else calibration.reliability(labels, tempered),
    }


def _temperature(val: pd.DataFrame, classes: list[str]) -> float | None:
    if val.empty:
        return None
    return calibration.fit_temperature(
        labelled_predictions.labels(val, classes), labelled_predictions.probabilities(val)
    )


def suspects(test: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Returns the test rows whose label is in doubt; see expressnet.evaluation.label_noise."""
    return label_noise.suspects(
        test, labelled_predictions.labels(test, classes), labelled_predictions.probabilities(test), classes
    )

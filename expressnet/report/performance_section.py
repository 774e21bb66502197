"""What the evaluation's page says of how good the answers are."""

from __future__ import annotations

from typing import Any

import numpy as np

from expressnet.evaluation.bootstrap import shown
from expressnet.report import plots

_BY_CLASS = ("precision", "recall", "f1", "one_vs_rest_accuracy")
_WHOLE = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "roc_auc",
    "log_loss",
    "log_loss_tempered",
    "calibration_error",
    "calibration_error_tempered",
)


def confusion(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns the counts of the matrix as text, and the shares of its rows."""
    counts = np.array(evaluation["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {"shares": shares.tolist(), "texts": [[f"{count:,}" for count in row] for row in counts.tolist()]}


def classes(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of every class, and all figures of the whole."""
    figures = evaluation["metrics"]
    rows = [
        (label, evaluation["support"][place], *(shown(figures[name], place) for name in _BY_CLASS))
        for place, label in enumerate(evaluation["classes"])
    ]
    return {
        "rows": rows,
        "whole": [(name.replace("_", " "), shown(figures[name])) for name in _WHOLE if name in figures],
    }


def curves(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns the ROC curve of every class against the rest, and the areas."""
    known = {name: points for name, points in evaluation["roc"].items() if points}
    areas = evaluation["metrics"]["roc_auc_by_class"]
    return {
        "picture": plots.picture(plots.roc(known)),
        "areas": [(label, shown(areas, place)) for place, label in enumerate(evaluation["classes"])],
    }


def calibration(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Returns the reliability diagram before and after temperature scaling, and its bins."""
    before, after = evaluation["reliability"], evaluation["reliability_tempered"]
    lines = {"as the model says": before, **({"with the temperature": after} if after else {})}
    bins = [
        (name, f"{one['low']:.2f} to {one['high']:.2f}", one["num_rows"], one["confidence"], one["accuracy"])
        for name, bins in lines.items()
        for one in bins
    ]
    return {"picture": plots.picture(plots.reliability(lines)), "bins": bins}

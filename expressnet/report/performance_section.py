"""The parts of the evaluation's page that say how good the answers are."""

from __future__ import annotations

from typing import Any

import numpy as np

from expressnet.evaluation.bootstrap import shown
from expressnet.report import html, plots

_BY_CLASS = {"precision": "precision", "recall": "recall", "F1": "f1", "one-vs-rest accuracy": "one_vs_rest_accuracy"}
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


def confusion(evaluation: dict[str, Any]) -> str:
    """Returns the matrix: counts, and row shares as colour."""
    counts, names = np.array(evaluation["confusion"]), evaluation["classes"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    texts = [[f"{count:,}" for count in row] for row in counts.tolist()]
    said = "Rows are true classes, columns what was predicted; the colour is the share of the row."
    return html.paragraph(said, "soft") + html.heat_table("true \\ predicted", names, names, shares.tolist(), texts)


def classes(evaluation: dict[str, Any]) -> str:
    """Returns the figures of every class, and all figures of the whole."""
    figures = evaluation["metrics"]
    rows = [
        (label, evaluation["support"][place], *(shown(figures[name], place) for name in _BY_CLASS.values()))
        for place, label in enumerate(evaluation["classes"])
    ]
    whole = [(name.replace("_", " "), shown(figures[name])) for name in _WHOLE if name in figures]
    return html.table(("class", "images", *_BY_CLASS), rows) + html.details(
        "All figures of the whole", html.table(("figure", "value (interval)"), whole)
    )


def curves(evaluation: dict[str, Any]) -> str:
    """Returns the ROC curve of every class against the rest, and the areas."""
    known = {name: points for name, points in evaluation["roc"].items() if points}
    areas = evaluation["metrics"]["roc_auc_by_class"]
    rows = [(label, shown(areas, place)) for place, label in enumerate(evaluation["classes"])]
    picture = plots.picture(plots.roc(known), "ROC curve of every class against the rest; the table has the areas")
    return picture + html.table(("class against the rest", "area under the curve"), rows)


def calibration(evaluation: dict[str, Any]) -> str:
    """Returns the reliability diagram before and after temperature scaling, and its bins."""
    figures, temperature = evaluation["metrics"], evaluation["temperature"]
    before, after = evaluation["reliability"], evaluation["reliability_tempered"]
    lines = {"as the model says": before, **({"with the temperature": after} if after else {})}
    if temperature is None:
        said = f"Expected calibration error {shown(figures['calibration_error'])}. No temperature: "
        said += f"{evaluation['no_temperature']}."
    else:
        said = (
            f"Expected calibration error {shown(figures['calibration_error'])}; after dividing the logits by the "
            f"temperature {temperature:.3f}, fitted on the validation split, "
            f"{shown(figures['calibration_error_tempered'])}. The intervals take the temperature as given."
        )
    rows = [
        (name, f"{one['low']:.2f} to {one['high']:.2f}", one["num_rows"], one["confidence"], one["accuracy"])
        for name, bins in lines.items()
        for one in bins
    ]
    header = ("probabilities", "bin", "images", "mean of the highest probability", "accuracy")
    return (
        html.paragraph(said)
        + plots.picture(plots.reliability(lines), "Accuracy against confidence in bins; the diagonal is calibrated")
        + html.details("The bins", html.table(header, rows))
    )

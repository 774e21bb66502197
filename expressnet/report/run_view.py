"""What Kubeflow's run view shows of an evaluation; it takes finite numbers only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from expressnet.artifacts.evaluation import Evaluation
from expressnet.evaluation import json_values
from expressnet.runtime import storage

_EXTRA = ("balanced_accuracy", "roc_auc", "log_loss", "calibration_error")


class View(NamedTuple):
    """The parts of the view.

    Attributes:
        headline: figures by name; `num_dropped_not_finite` counts those that were no numbers.
        confusion: class names and counts, row = true class.
        roc: false positive rates, true positive rates, thresholds, of all classes together (micro-averaged).
    """

    headline: dict[str, float]
    confusion: tuple[list[str], list[list[int]]]
    roc: tuple[list[float], list[float], list[float]]


def read(evaluation_dir: str | Path) -> View:
    """Returns the view of an evaluation (see expressnet.stages.evaluate)."""
    return of(Evaluation.read(evaluation_dir).as_dict())


def of(evaluation: dict[str, Any]) -> View:
    """Returns the view; a figure that is NaN, infinite or None is left out and counted."""
    names = [*evaluation["headlines"], *_EXTRA]
    figures = {name: evaluation["metrics"][name]["value"] for name in names}
    kept = json_values.known(figures)
    points = [point for point in json_values.plain(evaluation["roc_all"])[0] if None not in point]
    false, true, thresholds = ([point[axis] for point in points] for axis in range(3))
    return View(
        {**kept, "num_dropped_not_finite": float(len(figures) - len(kept))},
        (evaluation["classes"], evaluation["confusion"]),
        (false, true, thresholds),
    )


def leave_files(view: View, headline_path: str, confusion_path: str, roc_path: str) -> None:
    """Writes what the view shows: kfp.local's cache takes an artifact without a file for a lost one."""
    storage.write_json(headline_path, view.headline)
    storage.write_json(confusion_path, dict(zip(("classes", "confusion"), view.confusion, strict=True)))
    storage.write_json(roc_path, dict(zip(("false_positive", "true_positive", "threshold"), view.roc, strict=True)))

"""Opens the test split once, with the model as it was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expressnet import bundle, card, console, manifest, metrics, pixels, report, storage
from expressnet.config.evidence import EvaluateConfig
from expressnet.notices import OPTIMISTIC_NOTE

EVALUATION_FILE, PREDICTIONS_FILE, REPORT_FILE = "evaluation.json", "predictions.parquet", "report.html"


def run(
    model_dir: str, faces_dir: str, split_dir: str, out_dir: str, scratch_dir: str, config: EvaluateConfig
) -> dict[str, Any]:
    """Predicts the test split with the reloaded model and writes figures, predictions and the page.

    Returns:
        The report: the headline figures with their intervals.
    """
    frame = manifest.read(split_dir)
    test = frame[frame["split"] == "test"].reset_index(drop=True)
    provenance = storage.read_json(Path(model_dir) / bundle.PROVENANCE_FILE)
    model = bundle.Bundle(model_dir)
    prediction = model.predict(pixels.load(faces_dir, test, model.preprocess["size_px"], scratch_dir))
    evaluation = {
        **_identity(model_dir, provenance, model.classes),
        **_figures(test, prediction, model.classes, config),
        **_data(frame, model.classes),
    }
    with storage.committed_dir(out_dir) as partial:
        storage.write_json(partial / EVALUATION_FILE, evaluation)
        _predictions(test, prediction, model.classes).to_parquet(partial / PREDICTIONS_FILE, index=False)
        history = pd.read_csv(Path(model_dir) / bundle.HISTORY_FILE)
        storage.write_bytes(partial / REPORT_FILE, report.render(evaluation, history, provenance).encode())
    figures = evaluation["metrics"]
    console.say(
        f"test accuracy {card.interval(figures['accuracy'])}, macro-F1 {card.interval(figures['macro_f1'])} on "
        f"{len(test):,} images"
    )
    return {
        "report_path": str(Path(out_dir) / REPORT_FILE),
        "num_test": len(test),
        "protocol": evaluation["protocol"],
        "note": OPTIMISTIC_NOTE if evaluation["protocol"] == "paper" else "",
        "majority_rate": evaluation["majority_rate"],
        **{
            f"{name}{suffix}": figures[name][key]
            for name in metrics.HEADLINES
            for suffix, key in (("", "value"), ("_low", "low"), ("_high", "high"))
        },
    }


def _identity(model_dir: str, provenance: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    return {
        "model_digest": bundle.digest(model_dir),
        "dataset": provenance["dataset"],
        "dataset_id": provenance["dataset_id"],
        "protocol": provenance["protocol"],
        "split_digest": provenance["split_digest"],
        "preset": provenance["config"]["preset"],
        "seed": provenance["config"]["seed"],
        "classes": classes,
    }


def _figures(
    test: pd.DataFrame, prediction: bundle.Prediction, classes: list[str], config: EvaluateConfig
) -> dict[str, Any]:
    labels = manifest.class_indices(test, classes)
    predicted = prediction.probabilities.argmax(axis=1)
    groups = manifest.subjects_or_self(test)
    confusion = metrics.confusion(labels, predicted, len(classes))
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diagonal(confusion)
    gates = {"expression": prediction.expression_gates, "CNN features": prediction.cnn_gates}
    return {
        "num_test": len(test),
        "num_groups": int(groups.nunique()),
        "majority_rate": float(np.bincount(labels).max() / len(labels)),
        "confidence": config.confidence,
        "headlines": list(metrics.HEADLINES),
        "metrics": metrics.with_intervals(
            labels, predicted, groups.to_numpy(), len(classes),
            num_resamples=config.num_resamples, confidence=config.confidence, seed=config.seed,
        ),
        "confusion": confusion.tolist(),
        "roc": metrics.roc(labels, prediction.probabilities),
        "support": confusion.sum(axis=1).tolist(),
        "one_vs_rest_accuracy": (1 - wrong / len(test)).tolist(),
        "experts": {name: _mean_by_class(values, labels, len(classes)) for name, values in gates.items()},
    }  # fmt: skip


def _mean_by_class(values: np.ndarray, labels: np.ndarray, num_classes: int) -> list[list[float]]:
    """Returns the mean of values float[n, k] for every class, zeros for a class without examples."""
    sums = np.zeros((num_classes, values.shape[1]))
    np.add.at(sums, labels, values)
    return (sums / np.maximum(np.bincount(labels, minlength=num_classes), 1)[:, None]).tolist()


def _data(frame: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    counts = frame.groupby("split")["label"].value_counts()
    rates = frame.groupby("label")["face_found"].mean()
    return {
        "split_counts": {
            name: {label: int(counts.get((name, label), 0)) for label in classes}
            for name in ("train", "val", "test") if name in counts.index.get_level_values(0)
        },
        "face_rate_by_class": {label: float(rates[label]) for label in classes},
    }  # fmt: skip


def _predictions(test: pd.DataFrame, prediction: bundle.Prediction, classes: list[str]) -> pd.DataFrame:
    """Returns one row per test example, so that every figure can be computed again without the model."""
    return pd.DataFrame(
        {
            "sha256": test["sha256"],
            "subject": test["subject"],
            "label": test["label"],
            "predicted": np.array(classes)[prediction.probabilities.argmax(axis=1)],
            "probabilities": list(prediction.probabilities),
            "expression_gates": list(prediction.expression_gates),
            "cnn_gates": list(prediction.cnn_gates),
            "face_found": test["face_found"],
        }
    )

"""Opens the test split once, with the model as it was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expressnet.artifacts.evaluation import PREDICTIONS_FILE, VAL_FILE, Evaluation
from expressnet.artifacts.provenance import HISTORY_FILE, Provenance
from expressnet.artifacts.split_info import SplitInfo
from expressnet.artifacts.stored import Facts, Plain
from expressnet.config.evaluate import EvaluateConfig
from expressnet.data import manifest
from expressnet.evaluation import bootstrap, json_values, labelled_predictions, metric_suite, metrics, occlusion
from expressnet.faces import crop_pixels
from expressnet.inference import bundle
from expressnet.registry.notices import OPTIMISTIC_NOTE
from expressnet.report import evaluation_page
from expressnet.runtime import console, storage

REPORT_FILE, SUSPECTS_FILE = "report.html", "label_suspects.csv"
_CROP_FACTS = ("mode", "detector", "size_px", "num_examples", "num_left_out", "face_rate", "several_faces_rate")


class Evaluated(Facts):
    """The report of evaluate.

    Attributes:
        report_path: of the page.
        num_test, protocol, majority_rate: see Evaluation.
        note: what a reader of the figures must know.
        num_not_finite: figures that are not defined.
        figures: headlines by name, with `_low` and `_high` for the ends of their intervals.
    """

    report_path: str
    num_test: int
    protocol: str
    note: str
    majority_rate: float
    num_not_finite: int
    figures: dict[str, float]

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show: every figure under its own name."""
        facts = self.as_dict()
        figures = facts.pop("figures")
        return {**facts, **figures}


def run(
    model_dir: str, faces_dir: str, split_dir: str, out_dir: str, scratch_dir: str, config: EvaluateConfig
) -> Evaluated:
    """Predicts the test split with the reloaded model and writes figures, predictions and the page.

    The validation split, where there is one, is predicted too: a temperature is fitted on it.

    Returns:
        The report.

    Raises:
        ValueError: the test split is empty, or the crops have another size than the model takes.
    """
    frame, split = manifest.read(split_dir), SplitInfo.read(split_dir)
    provenance = Provenance.read(model_dir)
    model = bundle.Bundle(model_dir)
    rows = {name: frame[frame["split"] == name].reset_index(drop=True) for name in ("test", "val")}
    if rows["test"].empty:
        raise ValueError(f"The test split of {split_dir} is empty: there is nothing to measure on.")
    crops = {
        name: crop_pixels.load(faces_dir, part, model.preprocess.size_px, scratch_dir)
        for name, part in rows.items()
        if len(part)
    }
    said = {
        name: labelled_predictions.table(rows[name], model.predict_ablated(each), model.classes)
        for name, each in crops.items()
    }
    found = _evaluation(model_dir, model, provenance, said, config) | _data(frame, split, model.classes)
    figures, dropped = json_values.plain(found)
    evaluation = Evaluation(**figures, not_finite=dropped)
    pictures, refusal = _pictures(model, crops["test"], said["test"], split, config)
    with storage.committed_dir(out_dir) as partial:
        evaluation.write(partial)
        for name, file_name in (("test", PREDICTIONS_FILE), ("val", VAL_FILE)):
            if name in said:
                said[name].to_parquet(partial / file_name, index=False)
        metric_suite.suspects(said["test"], model.classes).to_csv(partial / SUSPECTS_FILE, index=False)
        history = pd.read_csv(Path(model_dir) / HISTORY_FILE)
        page = evaluation_page.render(evaluation.as_dict(), history, provenance.as_dict(), pictures, refusal)
        storage.write_bytes(partial / REPORT_FILE, page.encode())
    return _told(evaluation, out_dir)


def _told(evaluation: Evaluation, out_dir: str) -> Evaluated:
    found = evaluation.metrics
    console.say(
        f"test accuracy {bootstrap.shown(found['accuracy'])}, macro-F1 {bootstrap.shown(found['macro_f1'])} on "
        f"{evaluation.num_test:,} images"
    )
    if evaluation.not_finite:
        console.say(f"{len(evaluation.not_finite)} figures are not defined, such as {evaluation.not_finite[0]}")
    if evaluation.num_without_answer:
        console.say(f"{evaluation.num_without_answer:,} images got no finite answer; they count as undecided")
    return Evaluated(
        report_path=str(Path(out_dir) / REPORT_FILE),
        num_test=evaluation.num_test,
        protocol=evaluation.protocol,
        note=OPTIMISTIC_NOTE if evaluation.protocol == "paper" else "",
        majority_rate=evaluation.majority_rate,
        num_not_finite=len(evaluation.not_finite),
        figures={
            f"{name}{suffix}": found[name][key]
            for name in metrics.HEADLINES
            for suffix, key in (("", "value"), ("_low", "low"), ("_high", "high"))
        },
    )


def _evaluation(
    model_dir: str,
    model: bundle.Bundle,
    provenance: Provenance,
    said: dict[str, pd.DataFrame],
    config: EvaluateConfig,
) -> dict[str, Any]:
    return {
        "model_digest": bundle.digest(model_dir),
        "dataset": provenance.dataset,
        "dataset_id": provenance.dataset_id,
        "protocol": provenance.protocol,
        "split_digest": provenance.split_digest,
        "preset": provenance.config["preset"],
        "seed": provenance.config["seed"],
        "classes": model.classes,
        "top_k": model.top_k,
        **metric_suite.of(said["test"], said.get("val", pd.DataFrame()), model.classes, model.top_k, config),
    }


def recompute(folder: str | Path, config: EvaluateConfig) -> dict[str, Any]:
    """Computes the figures of an evaluation's folder again, from its predictions, without the model."""
    folder = Path(folder)
    stored = Evaluation.read(folder)
    test, val_path = pd.read_parquet(folder / PREDICTIONS_FILE), folder / VAL_FILE
    val = pd.read_parquet(val_path) if val_path.exists() else pd.DataFrame()
    return json_values.plain(metric_suite.of(test, val, stored.classes, stored.top_k, config))[0]


def _data(frame: pd.DataFrame, split: SplitInfo, classes: list[str]) -> dict[str, Any]:
    counts = frame.groupby("split")["label"].value_counts()
    rates = frame.groupby("label")["face_found"].mean()
    known = {**split.crops.config, **split.crops.as_dict()}
    return {
        "split_counts": {
            name: {label: int(counts.get((name, label), 0)) for label in classes}
            for name in ("train", "val", "test")
            if name in counts.index.get_level_values(0)
        },
        "face_rate_by_class": {label: float(rates.get(label, 0.0)) for label in classes},
        "crops": {name: known[name] for name in _CROP_FACTS if name in known},
    }


def _pictures(
    model: bundle.Bundle, crops: np.ndarray, test: pd.DataFrame, split: SplitInfo, config: EvaluateConfig
) -> tuple[list[occlusion.Map], str]:
    """Returns what the page shows, and why it shows nothing although it was asked to."""
    if not config.pictures:
        return [], ""
    dataset = split.crops.dataset
    if not dataset.pictures_allowed:
        refusal = f"No pictures: the licence of {dataset.dataset} does not allow them here ({dataset.licence})."
        console.say(refusal)
        return [], refusal
    labels, probabilities = labelled_predictions.labels(test, model.classes), labelled_predictions.probabilities(test)
    places = occlusion.choose(labels, probabilities, config.num_pictures)
    shown = crops[places], test["sha256"].iloc[places].tolist(), labels[places], probabilities[places]
    return occlusion.maps(model, *shown), ""

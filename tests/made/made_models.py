"""Models that nobody trained, for drills and tests of what comes after training: answers, figures, folders of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from expressnet.artifacts.evaluation import PREDICTIONS_FILE, Evaluation
from expressnet.artifacts.provenance import CLASSES_FILE, MODEL_FILE, WEIGHTS_FILE, Preprocess, Provenance
from expressnet.config.evaluate import EvaluateConfig
from expressnet.config.promote import PromoteConfig
from expressnet.evaluation import comparison, json_values, metrics
from expressnet.registry import model_card, promotion_gate, sealed_files
from expressnet.report import champion_section, html
from expressnet.runtime import storage

CLASSES = ["anger", "disgust", "sad", "happy", "fear", "neutral", "surprise"]
# How far two models find the same pictures hard. At 0.8 one alone is right on a fifth of the pictures.
SHARED_DIFFICULTY = 0.8


def labels_and_answers(
    num_rows: int, accuracies: tuple[float, float], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws what two models say of the same rows, all classes equally frequent.

    A row has a difficulty that the models share in part (a Gaussian copula), so that they err on the same rows more
    often than by chance. Both are calibrated: they are as sure as they are right.

    Returns:
        int[rows] labels, float[rows, classes] probabilities of champion and challenger.
    """
    chance = np.random.default_rng(seed)
    labels = np.arange(num_rows) % len(CLASSES)
    shared = chance.standard_normal(num_rows)
    return labels, *(_answers(chance, labels, shared, accuracy) for accuracy in accuracies)


def _answers(chance: np.random.Generator, labels: np.ndarray, shared: np.ndarray, accuracy: float) -> np.ndarray:
    own = chance.standard_normal(len(labels))
    hard = np.sqrt(SHARED_DIFFICULTY) * shared + np.sqrt(1 - SHARED_DIFFICULTY) * own
    others = (labels + chance.integers(1, len(CLASSES), len(labels))) % len(CLASSES)
    chosen = np.where(hard < stats.norm.ppf(accuracy), labels, others)
    probabilities = np.full((len(labels), len(CLASSES)), (1 - accuracy) / (len(CLASSES) - 1))
    probabilities[np.arange(len(labels)), chosen] = accuracy
    return probabilities


def share_promoted(
    num_rows: int, accuracies: tuple[float, float], num_tries: int, num_resamples: int
) -> tuple[float, float]:
    """Lets pairs of models through the gate; returns the share promoted and the share of rows one alone gets right."""
    config, promoted, split_rows = PromoteConfig(num_resamples=num_resamples), 0, 0
    for seed in range(num_tries):
        labels, champion, challenger = labels_and_answers(num_rows, accuracies, seed)
        found = comparison.compare(
            labels,
            champion,
            challenger,
            np.arange(num_rows),
            num_resamples=num_resamples,
            confidence=config.confidence,
            seed=seed,
        )
        promoted += promotion_gate.decide(found, CLASSES, config)[0]
        split_rows += found.only_champion_right + found.only_challenger_right
    return promoted / num_tries, split_rows / (num_tries * num_rows)


def write(folder: Path, seed: int = 0, num_rows: int = 210) -> tuple[Path, Path]:
    """Writes a model folder and its evaluation as train and evaluate leave them, with weights that mean nothing.

    Returns:
        The two folders.
    """
    model_dir, evaluation_dir = folder / "model", folder / "evaluation"
    for name in (MODEL_FILE, WEIGHTS_FILE):
        storage.write_bytes(model_dir / name, np.random.default_rng([seed, len(name)]).bytes(3000))
    Preprocess(size_px=48, crop={"seed": seed}).write(model_dir)
    storage.write_json(model_dir / CLASSES_FILE, CLASSES)
    digest = storage.json_digest(sealed_files.seal({"model": model_dir}))
    _provenance().write(model_dir)
    labels, probabilities, _ = labels_and_answers(num_rows, (0.6, 0.6), seed)
    _evaluation(labels, probabilities, digest).write(evaluation_dir)
    page = html.page("plain.html.j2", title="made", body=champion_section.place())
    storage.write_bytes(evaluation_dir / "report.html", page.encode())
    storage.write_bytes(evaluation_dir / "report.html", page.encode())
    rows = {
        "sha256": [storage.bytes_sha256(str(row).encode()) for row in range(num_rows)],
        "label": np.array(CLASSES)[labels],
        "probabilities": list(probabilities),
    }
    pd.DataFrame(rows).to_parquet(evaluation_dir / PREDICTIONS_FILE, index=False)
    return model_dir, evaluation_dir


def _provenance() -> Provenance:
    digests = {name: storage.bytes_sha256(name.encode()) for name in model_card.DIGESTS}
    return Provenance(
        **digests,
        dataset="demo",
        dataset_id="made",
        licence="ours",
        real_faces=False,
        protocol="honest",
        backbone_weights="none: trained from scratch",
        config={"preset": "tiny", "seed": 0, "backbone_sha256": ""},
    )


def _evaluation(labels: np.ndarray, probabilities: np.ndarray, model_digest: str) -> Evaluation:
    counts, settings = np.bincount(labels).tolist(), EvaluateConfig(num_resamples=100)
    figures = metrics.with_intervals(labels, probabilities, np.arange(len(labels)), settings)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return Evaluation(
        model_digest=model_digest,
        dataset="demo",
        dataset_id="made",
        protocol="honest",
        preset="tiny",
        seed=0,
        classes=list(CLASSES),
        top_k={"expression": 2, "cnn": 2},
        split_digest=storage.bytes_sha256(b"split_digest"),
        num_test=len(labels),
        num_groups=len(labels),
        majority_rate=max(counts) / len(labels),
        confidence=settings.confidence,
        headlines=list(metrics.HEADLINES),
        metrics=json_values.plain(figures)[0],
        confusion=confusion.tolist(),
        support=counts,
        one_vs_rest_accuracy=figures["one_vs_rest_accuracy"]["value"],
        slices={"slices": [], "gaps": [], "worst": -1},
        split_counts={"test": dict(zip(CLASSES, counts, strict=True))},
        face_rate_by_class=dict.fromkeys(CLASSES, 1.0),
    )

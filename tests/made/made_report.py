"""The evaluation of a made-up model as a page, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import json_values, metric_suite, occlusion
from expressnet.report import evaluation_page
from tests.made import made_answers

PROVENANCE = {
    **dict.fromkeys(("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest"), "0" * 64),
    "backbone_weights": "none: from scratch",
    "licence": "ours",
    "versions": {"keras": "3"},
    "dataset_id": "demo",
    "real_faces": False,
    "protocol": "honest",
}


def evaluation(
    table: pd.DataFrame | None = None,
    *,
    classes: Sequence[str] = made_answers.CLASSES,
    dataset_id: str = "demo",
    protocol: str = "honest",
    num_test: int = 420,
    has_val: bool = True,
    num_resamples: int = 100,
) -> dict[str, Any]:
    """Returns what expressnet.stages.evaluate writes."""
    test = made_answers.table(num_test, classes=classes) if table is None else table
    val = made_answers.table(140, seed=1, classes=classes, split="val") if has_val else pd.DataFrame()
    settings = EvaluateConfig(num_resamples=num_resamples)
    counts = {name: dict.fromkeys(classes, 20) for name in (("train", "val", "test") if has_val else ("train", "test"))}
    found, dropped = json_values.plain(metric_suite.of(test, val, list(classes), made_answers.TOP_K, settings))
    return {
        **found,
        "not_finite": dropped,
        "classes": list(classes),
        "dataset_id": dataset_id,
        "protocol": protocol,
        "preset": "small",
        "seed": 52,
        "model_digest": "1" * 64,
        "split_counts": counts,
        "face_rate_by_class": dict.fromkeys(classes, 0.9),
        "crops": {"mode": "aligned", "size_px": 48},
    }


def history(epochs: int = 12) -> pd.DataFrame:
    """Returns figures by epoch as expressnet.training.loop writes them."""
    passed = np.arange(1, epochs + 1)
    loss = 1.9 * np.exp(-passed / 6) + 0.3
    return pd.DataFrame(
        {
            "epoch": passed,
            "train_loss": loss,
            "train_accuracy": 1 - loss / 2.4,
            "learning_rate": 1e-3 / passed,
            "loss": loss + 0.01 * passed,
            "accuracy": 1 - loss / 2.2,
            "macro_f1": 0.98 - loss / 2.2,
            **{f"{mixture}_expert_{number}": 0.5 for mixture in made_answers.TOP_K for number in range(1, 5)},
        }
    )


def page(
    table: pd.DataFrame | None = None, *, pictures: Sequence[occlusion.Map] = (), refusal: str = "", **facts: Any
) -> str:
    """Returns the page; see `evaluation` for the rest."""
    found = evaluation(table, **facts)
    provenance = {**PROVENANCE, **{name: found[name] for name in ("dataset_id", "protocol")}}
    return evaluation_page.render(found, history(), provenance, pictures, refusal)

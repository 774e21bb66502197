"""Decides on the same test rows whether a new model becomes the champion."""

from __future__ import annotations

import dataclasses
import datetime
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from expressnet import comparison, console, cutting, gate, manifest, pixels, registry, shards, storage
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.config.evidence import PromoteConfig

if TYPE_CHECKING:
    from expressnet import bundle

DECISION_FILE = "promotion.json"


def run(
    dataset_dir: str, split_dir: str, evaluation_dir: str, registration_dir: str, out_dir: str, workspace: str,
    config: PromoteConfig,
) -> dict[str, Any]:  # fmt: skip
    """Compares the challenger with the champion on the challenger's test rows and swaps the pointer if it is better.

    Returns:
        The report: whether it was promoted and why.

    Raises:
        storage.ConflictError: somebody else promoted in between; run again to compare with the new champion.
    """
    challenger = storage.read_json(Path(registration_dir) / "registration.json")
    evaluation = storage.read_json(Path(evaluation_dir) / "evaluation.json")
    models = registry.Registry(workspace)
    name = challenger["model_name"]
    models.heal_alias(name)
    champion = models.champion(name)
    decision = _decide(
        challenger, evaluation, champion, models, dataset_dir, split_dir, evaluation_dir, workspace, config
    )
    if decision["promoted"]:
        models.set_champion(name, expected=champion, new=_record(challenger, champion, decision, config))
    with storage.committed_dir(out_dir) as partial:
        storage.write_json(partial / DECISION_FILE, decision)
    console.say(f"{'PROMOTED' if decision['promoted'] else 'not promoted'}: {decision['reason']}")
    return decision


def _decide(
    challenger: dict[str, Any], evaluation: dict[str, Any], champion: dict[str, Any] | None,
    models: registry.Registry, dataset_dir: str, split_dir: str, evaluation_dir: str, workspace: str,
    config: PromoteConfig,
) -> dict[str, Any]:  # fmt: skip
    decision = {
        "model_name": challenger["model_name"], "version": challenger["version"],
        "champion_before": champion["version"] if champion else "", "intended_use": config.intended_use,
        "num_test": evaluation["num_test"], "split_digest": evaluation["split_digest"],
        "macro_f1": evaluation["metrics"]["macro_f1"]["value"],
        "accuracy": evaluation["metrics"]["accuracy"]["value"],
    }  # fmt: skip
    if champion is None:
        return {**decision, "promoted": True, "reason": "the first model of its name becomes champion"}
    if champion["model_digest"] == challenger["model_digest"]:
        return {**decision, "promoted": False, "reason": "it is the champion already"}
    from expressnet import bundle  # TensorFlow takes seconds to import, and most runs need no comparison

    opponent = bundle.Bundle(models.model_dir(champion["run_id"]))
    if opponent.classes != evaluation["classes"]:
        reason = f"the champion {champion['version']} knows other classes ({', '.join(opponent.classes)})"
        return {**decision, "promoted": False, "reason": reason}
    rows, probabilities = predict_test(opponent, dataset_dir, split_dir, Path(workspace) / "work")
    own = pd.read_parquet(Path(evaluation_dir) / "predictions.parquet").set_index("sha256").loc[rows["sha256"]]
    found = comparison.compare(
        manifest.class_indices(rows, opponent.classes), probabilities, np.array(own["probabilities"].tolist()),
        manifest.subjects_or_self(rows).to_numpy(), num_resamples=config.num_resamples, confidence=config.confidence,
        seed=config.seed,
    )  # fmt: skip
    better, reason = gate.decide(found, opponent.classes, config)
    reason += f". The champion is {champion['version']}"
    if champion["split_digest"] != evaluation["split_digest"]:
        reason += ", trained on another split: it may have seen some of these images"
    figures = {f"gain_{name}": value for name, value in dataclasses.asdict(found.macro_f1).items()}
    return {**decision, "promoted": better, "reason": reason, **figures, "mcnemar_p": found.mcnemar_p,
            "only_champion_right": found.only_champion_right, "only_challenger_right": found.only_challenger_right,
            "visible_gain": found.visible_gain}  # fmt: skip


def predict_test(
    model: bundle.Bundle, dataset_dir: str, split_dir: str, scratch_dir: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns the test rows, cropped the way a model wants them, and its probabilities float[rows, classes]."""
    split = manifest.read(split_dir)
    test_sha256 = split.loc[split["split"] == "test", "sha256"]
    photos = manifest.read(dataset_dir)
    photos = photos[photos["sha256"].isin(test_sha256)].reset_index(drop=True)
    Path(scratch_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(suffix=storage.PARTIAL_SUFFIX, dir=scratch_dir) as scratch:
        crops: pd.DataFrame = cutting.cut_all(
            photos, dataset_dir, Path(scratch) / shards.FOLDER, CropConfig(**model.preprocess["crop"])
        )
        prediction = model.predict(pixels.load(scratch, crops, model.preprocess["size_px"], scratch))
    return crops, prediction.probabilities


def _record(
    challenger: dict[str, Any], champion: dict[str, Any] | None, decision: dict[str, Any], config: PromoteConfig
) -> dict[str, Any]:
    """Returns what the champion pointer will say."""
    return {
        **{key: challenger[key] for key in ("model_name", "version", "number", "run_id", "model_digest")},
        "split_digest": decision["split_digest"],
        "promoted_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "previous": champion["version"] if champion else "",
        "reason": decision["reason"],
        "settings": digest_fields(config),
    }

"""Answers of a made-up model about made-up pictures, for tests and benchmarks of the evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

CLASSES = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
TOP_K = {"expression": 2, "cnn": 2}
_NUM_EXPERTS = 4


def table(
    count: int,
    *,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
    rows_each: int = 1,
    split: str = "test",
    skill: float = 2.0,
) -> pd.DataFrame:
    """Returns answers as expressnet.evaluation.labelled_predictions writes them.

    Args:
        count: rows.
        seed: of all that is random.
        classes: names.
        rows_each: rows of one person.
        split: val or test.
        skill: how much higher the true class's logit is on average; 0 guesses.
    """
    noise = np.random.default_rng(seed)
    num_classes = len(classes)
    labels = np.arange(count) % num_classes
    logits = noise.normal(size=(count, num_classes))
    logits[np.arange(count), labels] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    people = np.arange(count) // rows_each
    rows = pd.DataFrame(
        {
            "sha256": [f"{seed:032x}{place:032x}" for place in range(count)],
            "subject": [f"p{person}" for person in people],
            "label": np.array(classes)[labels],
            "split": split,
            "source_split": "none",
            "source_uri": [f"{'studio' if place % 3 else 'street'}/{place}.jpg" for place in range(count)],
            "target": [[]] * count,
            "attributes": [json.dumps({"gender": ("a", "b")[place % 2]}) for place in range(count)],
            "face_found": noise.random(count) < 0.9,
            "score": noise.random(count),
            "face_width": noise.uniform(20, 90, count),
            "yaw": noise.normal(0, 0.2, count).clip(-1, 1),
            "brightness": noise.uniform(0, 255, count),
            "contrast": noise.uniform(5, 80, count),
            "sharpness": noise.uniform(10, 900, count),
            "group": people,
            "predicted": np.array(classes)[probabilities.argmax(axis=1)],
            "probabilities": list(probabilities.astype(np.float32)),
        }
    )
    for mixture in TOP_K:
        gates = noise.dirichlet(np.ones(_NUM_EXPERTS), count).astype(np.float32)
        rows[f"{mixture}_gates"] = list(gates)
        rows[f"{mixture}_without"] = list(np.repeat(probabilities.argmax(axis=1)[:, None], _NUM_EXPERTS, axis=1))
    return rows

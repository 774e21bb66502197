"""What evaluate says of a model."""

from __future__ import annotations

from typing import Any, ClassVar

import pydantic

from expressnet.artifacts.dataset_info import Counts
from expressnet.artifacts.stored import Stored

# Beside it: what the model said of the test and the validation split.
PREDICTIONS_FILE, VAL_FILE = "predictions.parquet", "val_predictions.parquet"


class Evaluation(Stored):
    """The figures of a model on its test split.

    The figures themselves are open: expressnet.evaluation.metric_suite says what there is, and pages show what they
    know of it.

    Attributes:
        model_digest, split_digest: whose, and on what.
        dataset, dataset_id, protocol, preset, seed: of the training.
        classes, top_k: of the model.
        num_test, num_groups: images of the test split, and people (or images, where people are unknown).
        num_without_answer: images without a finite answer.
        majority_rate: accuracy of the most frequent class alone.
        headlines: names of the metrics that matter most.
        metrics: by name: value, low, high; lists have a place for each class.
        confusion, support: rows are true classes.
        split_counts, face_rate_by_class, crops: of the data.
        not_finite: figures that are not defined.
    """

    model_config = pydantic.ConfigDict(extra="allow")
    FILE: ClassVar[str] = "evaluation.json"

    model_digest: str
    split_digest: str
    dataset: str
    dataset_id: str
    protocol: str
    preset: str
    seed: int
    classes: list[str]
    top_k: dict[str, int]
    num_test: int
    num_groups: int
    num_without_answer: int = 0
    majority_rate: float
    headlines: list[str]
    metrics: dict[str, Any]
    confusion: list[list[int]]
    support: list[int]
    split_counts: dict[str, Counts] = {}
    face_rate_by_class: dict[str, float] = {}
    crops: dict[str, Any] = {}
    not_finite: list[str] = []

    def as_dict(self) -> dict[str, Any]:
        """Returns all fields and figures as JSON has them; a figure that is None is not defined."""
        return self.model_dump(mode="json")

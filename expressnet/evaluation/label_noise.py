"""Which labels of held-out examples are probably wrong, and how far people agree on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import bootstrap, labelled_predictions

# Suspects whose label is less probable are the ones to begin with; see docs/results.md for what they are worth.
STRONG_BELOW = 0.05
SUSPECT_COLUMNS = ("sha256", "label", "likely", "probability_of_label", "probability_of_likely")


def suspects(table: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Returns the examples whose label a model that has not seen them doubts, the most doubtful first.

    Confident learning (Northcutt, Jiang and Chuang 2021): a row counts for a class if its probability reaches the
    mean probability of that class among the rows that bear its label; of the rows of each label as many are named as
    are estimated to be wrong. A suspect is a reason to look, not a proof: hard and ambiguous faces are among them.

    Args:
        table: see expressnet.evaluation.labelled_predictions; rows that the model was not trained on.
        labels: int[n], the labels that are in doubt.
        probabilities: float[n, classes].
        classes: names.
    """
    doubted = find(labels, probabilities)
    likely = probabilities.argmax(axis=1)
    rows = np.arange(len(labels))
    found = pd.DataFrame(
        {
            "sha256": table["sha256"],
            "label": np.array(classes)[labels],
            "likely": np.array(classes)[likely],
            "probability_of_label": probabilities[rows, labels],
            "probability_of_likely": probabilities[rows, likely],
        }
    ).loc[:, list(SUSPECT_COLUMNS)]
    return found[doubted].sort_values(["probability_of_label", "sha256"], ignore_index=True)


def find(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns bool[n], whether a label is in doubt; classes without rows are left out."""
    present = np.unique(labels)
    if len(present) < 2:
        return np.zeros(len(labels), bool)
    shares = probabilities[:, present].astype(np.float64)
    shares = np.maximum(shares, 1e-12)
    places = np.searchsorted(present, labels)
    # One process: the threads and the memory are the training's, and forking beside TensorFlow is not safe.
    return find_label_issues(
        places, shares / shares.sum(axis=1, keepdims=True), filter_by="prune_by_noise_rate", n_jobs=1
    )


def by_class(found: pd.DataFrame, support: list[int], classes: list[str]) -> list[dict[str, Any]]:
    """Counts suspects for every label, the strong ones among them, and names the class that most of them look like."""
    rows = []
    for label, num_rows in zip(classes, support, strict=True):
        own = found[found["label"] == label]
        likely = own["likely"].value_counts()
        rows.append(
            {
                "label": label,
                "num_rows": num_rows,
                "num_suspects": len(own),
                "num_strong": int((own["probability_of_label"] < STRONG_BELOW).sum()),
                "mostly": str(likely.index[0]) if len(likely) else "",
            }
        )
    return rows


def agreement(table: pd.DataFrame, labels: np.ndarray, predicted: np.ndarray, config: EvaluateConfig) -> dict[str, Any]:
    """Compares answers with the votes of people, where the data set has them (FER+ as probabilities).

    Returns:
        {} where no row has votes; otherwise num_rows; votes_for_label and votes_for_answer, the mean share of votes
        that the label and the model's answer got, with intervals; accuracy where most people agree, and where not.
    """
    has_votes = table["target"].map(len).to_numpy() > 0
    if not has_votes.any():
        return {}
    votes = labelled_predictions.matrix(table.loc[has_votes, "target"])
    rows, label, answer = np.arange(len(votes)), labels[has_votes], predicted[has_votes]
    is_clear, right = votes.max(axis=1) >= 0.8, label == answer
    columns = {
        "votes_for_label": votes[rows, label],
        "votes_for_answer": votes[rows, answer],
        "accuracy_where_80_percent_agree": np.where(is_clear, right, np.nan),
        "accuracy_elsewhere": np.where(is_clear, np.nan, right),
    }
    groups = table.loc[has_votes, "group"].to_numpy()
    figures = bootstrap.means(np.column_stack(list(columns.values())).astype(float), groups, config)
    return {"num_rows": int(has_votes.sum()), **dict(zip(columns, figures, strict=True))}

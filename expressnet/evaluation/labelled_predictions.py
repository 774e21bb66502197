"""What a model said of each example, beside what is known of it: all that figures are computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from expressnet.data import manifest
from expressnet.imaging import near_duplicates

if TYPE_CHECKING:
    from expressnet.inference import bundle

MIXTURES = {"expression": "expression", "CNN features": "cnn"}  # name for people: column prefix
_KNOWN = [
    "sha256",
    "subject",
    "label",
    "split",
    "source_split",
    "source_uri",
    "target",
    "attributes",
    "face_found",
    "score",
    "face_width",
    "yaw",
    "brightness",
    "contrast",
    "sharpness",
]


def table(rows: pd.DataFrame, ablated: bundle.Ablated, classes: list[str]) -> pd.DataFrame:
    """Returns one row per example.

    Beside the manifest's columns: `group`, the same number for images of one person and for near-duplicates;
    `predicted`; `probabilities` float[classes]; for both mixtures `<mixture>_gates` float[experts] and
    `<mixture>_without` int[experts], the class that is predicted when an expert is switched off.

    Args:
        rows: of the manifest.
        ablated: for the same rows.
        classes: in the order of the probabilities.
    """
    prediction, found = ablated.prediction, rows[_KNOWN].copy()
    found["group"] = groups(rows)
    found["predicted"] = np.array(classes)[finite(prediction.probabilities).argmax(axis=1)]
    found["probabilities"] = list(prediction.probabilities)
    found["expression_gates"], found["expression_without"] = (
        list(prediction.expression_gates),
        list(ablated.expression_without),
    )
    found["cnn_gates"], found["cnn_without"] = list(prediction.cnn_gates), list(ablated.cnn_without)
    return found


def groups(rows: pd.DataFrame) -> np.ndarray:
    """Returns int[rows], the same number for images of one subject and for near-duplicates, handed on."""
    pixels, hashes = near_duplicates.pixel_keys(rows["pixel_sha256"]), near_duplicates.hash_words(rows["phash"])
    same_person = near_duplicates.equal_pairs(near_duplicates.text_keys(rows["subject"]))
    return near_duplicates.components(
        len(rows), near_duplicates.equal_pairs(pixels), near_duplicates.near_pairs(hashes), same_person
    )


def matrix(column: pd.Series) -> np.ndarray:
    """Returns number[rows, n] of a column of lists."""
    return np.array(column.tolist())


def probabilities(table: pd.DataFrame) -> np.ndarray:
    """Returns float[rows, classes]; see `finite`."""
    return finite(matrix(table["probabilities"]))


def finite(probabilities: np.ndarray) -> np.ndarray:
    """Returns probabilities in which a row that holds NaN or infinity says nothing: the same for every class."""
    is_finite = np.isfinite(probabilities).all(axis=1, keepdims=True)
    return np.where(is_finite, probabilities, 1 / probabilities.shape[1])


def labels(table: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Returns int[rows], the place of every true class."""
    return manifest.class_indices(table, classes)

"""How good the answers are for kinds of pictures and people, not only on the whole."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import bootstrap, metrics

_THIRDS = {"face_width": "face width, px", "brightness": "brightness", "sharpness": "sharpness"}
_LOOKS_AHEAD = 0.1  # of `yaw`: the nose is at most a tenth of the eyes' distance beside their middle
_MOST_VALUES = 12  # of a source or a given attribute; more are no kinds of pictures


def of(
    answers: pd.DataFrame, labels: np.ndarray, predicted: np.ndarray, num_classes: int, config: EvaluateConfig
) -> dict[str, Any]:
    """Computes accuracy and macro-F1 of every slice, and the gap between the best and the worst of each attribute.

    Args:
        answers: see expressnet.evaluation.labelled_predictions.
        labels: int[n], true classes.
        predicted: int[n].
        num_classes: number of classes.
        config: resamples, confidence, seed; the fewest rows of a slice that takes part in gaps.

    Returns:
        slices: attribute, name, num_rows, accuracy with its interval, macro_f1 over the slice's own classes,
        too_few. gaps: attribute, best, worst and their difference in accuracy with its interval. worst: the place in
        slices, -1 where there is none.
    """
    right = labels == predicted
    found: list[dict[str, Any]] = []
    columns = []
    for attribute, values in attributes(answers).items():
        for name in sorted(set(values) - {""}, key=_order):
            is_in = (values == name).to_numpy()
            figures = metrics.from_confusion(metrics.confusion(labels[is_in], predicted[is_in], num_classes))
            present = np.bincount(labels[is_in], minlength=num_classes) > 0
            found.append(
                {
                    "attribute": attribute,
                    "name": str(name),
                    "num_rows": int(is_in.sum()),
                    "macro_f1": float(figures["f1"][present].mean()),
                    "too_few": bool(is_in.sum() < config.min_slice),
                }
            )
            columns.append(np.where(is_in, right, np.nan))
    if not found:
        return {"slices": [], "gaps": [], "worst": -1}
    accuracies = bootstrap.means(np.column_stack(columns), answers["group"].to_numpy(), config)
    for one, accuracy in zip(found, accuracies, strict=True):
        one["accuracy"] = accuracy
    places = [place for place, one in enumerate(found) if not one["too_few"]]
    worst = min(places, key=lambda place: found[place]["accuracy"]["value"], default=-1)
    return {"slices": found, "gaps": _gaps(found, columns, answers["group"].to_numpy(), config), "worst": worst}


def _gaps(
    found: list[dict[str, Any]], columns: list[np.ndarray], groups: np.ndarray, config: EvaluateConfig
) -> list[dict[str, Any]]:
    pairs = []
    for attribute in dict.fromkeys(one["attribute"] for one in found):
        places = [p for p, one in enumerate(found) if one["attribute"] == attribute and not one["too_few"]]
        places.sort(key=lambda place: found[place]["accuracy"]["value"])
        if len(places) > 1:
            pairs.append((attribute, places[-1], places[0]))
    differences = bootstrap.differences([(columns[best], columns[worst]) for _, best, worst in pairs], groups, config)
    return [
        {"attribute": attribute, "best": found[best]["name"], "worst": found[worst]["name"], **difference}
        for (attribute, best, worst), difference in zip(pairs, differences, strict=True)
    ]


def attributes(answers: pd.DataFrame) -> dict[str, pd.Series]:
    """Returns the slice of every row by attribute, "" where the row is in none."""
    found = answers["face_found"].astype(bool)
    named = {"face": found.map({True: "found", False: "not found"})}
    for column, title in _THIRDS.items():
        named[title] = _thirds(answers[column].where(found) if column == "face_width" else answers[column])
    yaw = answers["yaw"]
    # The nose lies on the side that the face is turned to; in the image, not from the person's own view.
    side = np.where(yaw.abs() <= _LOOKS_AHEAD, "ahead", np.where(yaw < 0, "to the left", "to the right"))
    named["face turned"] = pd.Series(side, index=answers.index).where(found, "")
    sources = [_source(*pair) for pair in zip(answers["source_uri"], answers["label"], strict=True)]
    named["source"] = pd.Series(sources, index=answers.index, dtype=str)
    given = pd.DataFrame([json.loads(text) if text else {} for text in answers["attributes"]], index=answers.index)
    named |= {str(name): given[name].fillna("").astype(str) for name in given}
    return {name: values for name, values in named.items() if 1 < (values[values != ""]).nunique() <= _MOST_VALUES}


def _thirds(values: pd.Series) -> pd.Series:
    """Returns "below 40", "40 to 60" or "60 and more" by the terciles of the known values, "" where unknown."""
    known = values.dropna()
    if known.nunique() < 3:
        return pd.Series("", index=values.index)
    low, high = known.quantile([1 / 3, 2 / 3])
    names = np.select(
        [values < low, values < high, values >= high],
        [f"below {low:.3g}", f"{low:.3g} to {high:.3g}", f"{high:.3g} and more"],
        default="",
    )
    return pd.Series(names, index=values.index)


def _order(name: str) -> tuple[bool, bool, str]:
    """Sorts thirds from low to high, everything else by name."""
    return name.endswith(" and more"), not name.startswith("below "), name


def _source(uri: str, label: str) -> str:
    """Returns the folder or table that an example came from, without its class, file name and row."""
    folders = uri.partition(" row ")[0].split("/")
    kept = [part for part in (folders if " row " in uri else folders[:-1]) if part.lower() != label]
    return "/".join(kept)

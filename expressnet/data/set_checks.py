"""Checks of a whole data set that Great Expectations has no word for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.data.compact_columns import Rows

_DARK, _BRIGHT = 8.0, 247.0  # mean of the gray image, 0..255
_ASPECT = 4.0  # longer side over the shorter
_RESOLUTION = 64.0  # pixels over the data set's median
_CLASS_SHARE = 0.2  # of a class's published count that may be missing


@dataclasses.dataclass(frozen=True)
class SetCheck:
    """One check.

    Attributes:
        id: as in SEVERITIES=.
        title: what should be true.
        severity: what happens if it is not, unless the user says otherwise: stop, warn or off.
        culprits: returns what is against it: bool[rows] of those that can be decoded, or texts.
        named: names such a row, by its columns in the manifest.
    """

    id: str
    title: str
    severity: str
    culprits: Callable[[Rows, DatasetInfo], np.ndarray | Iterable[str]]
    named: Callable[[pd.Series], str] = lambda row: str(row["source_uri"])


def _in_split(rows: Rows, split: str) -> np.ndarray:
    return (rows.frame["source_split"] == split).to_numpy()


def _near_across(rows: Rows, info: DatasetInfo) -> np.ndarray:
    in_train, in_test = _in_split(rows, "train"), _in_split(rows, "test")
    if not (in_train.any() and in_test.any()):
        return np.zeros(len(in_test), bool)
    groups = rows.near_groups()
    has_train = np.zeros(len(groups), bool)
    has_train[groups[in_train]] = True
    return in_test & has_train[groups]


def _twins_across(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    if info.num_cross_split_twins:
        count = info.num_cross_split_twins
        yield f"{count:,} records of the published test split are in train, pixel by pixel"


def _conflicts(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    if info.num_conflict_groups:
        yield (
            f"{info.num_conflict_groups:,} pictures came with different labels ({info.num_conflicting:,} "
            "records, left out; label_conflicts.csv lists them)"
        )


def _copies(rows: Rows, info: DatasetInfo) -> np.ndarray:
    return (rows.frame["copies"] > 1).to_numpy()


def _constant(rows: Rows, info: DatasetInfo) -> np.ndarray:
    return (rows.frame["contrast"] == 0).to_numpy()


def _exposure(rows: Rows, info: DatasetInfo) -> np.ndarray:
    brightness = rows.frame["brightness"]
    return (((brightness < _DARK) | (brightness > _BRIGHT)) & (rows.frame["contrast"] > 0)).to_numpy()


def _aspect(rows: Rows, info: DatasetInfo) -> np.ndarray:
    width, height = (rows.frame[side].to_numpy() for side in ("width", "height"))
    return np.maximum(width, height) > _ASPECT * np.minimum(width, height)


def _resolution(rows: Rows, info: DatasetInfo) -> np.ndarray:
    ratio = rows.frame["width"].to_numpy(np.float64) * rows.frame["height"].to_numpy()
    if len(ratio):
        ratio /= np.median(ratio)
    return (ratio > _RESOLUTION) | (ratio < 1 / _RESOLUTION)


def _subjects_across(rows: Rows, info: DatasetInfo) -> np.ndarray:
    subjects, in_test = rows.frame["subject"].to_numpy(), _in_split(rows, "test")
    in_train = np.unique(subjects[_in_split(rows, "train") & (subjects != 0)])
    return in_test & np.isin(subjects, in_train)


def _classes_of_splits(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    for split in ("train", "test"):
        held = rows.frame.loc[_in_split(rows, split), "label"].unique()
        for missing in sorted(set(info.classes) - set(held)) if len(held) else ():
            yield f"{split} holds no {missing}"


def _published(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    if info.limit:
        return  # a sample
    # Records that were merged or left out for conflicts were there too.
    found = rows.frame.groupby(["source_split", "label"], observed=True)["copies"].sum()
    for split, counts in info.published_counts.items():
        for label, wanted in counts.items():
            count = int(found.get((split, label), 0))
            if abs(count - wanted) > _CLASS_SHARE * wanted:
                yield f"{split}: {count:,} of {label}, published {wanted:,}"


def _balance(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    """Compares train and test: the same classes in very different shares make a test of another task."""
    counts = rows.frame.groupby(["label", "source_split"], observed=True).size().unstack(fill_value=0)
    if {"train", "test"} <= set(counts):
        shared = counts[(counts["train"] > 0) & (counts["test"] > 0)]
        shares = shared / shared.sum()
        distance = float(np.abs(shares["train"] - shares["test"]).sum() / 2)
        if distance > _CLASS_SHARE:
            yield f"{distance:.0%} of the images would have to change their class"


def _noticed(rows: Rows, info: DatasetInfo) -> Iterable[str]:
    for finding in info.findings:
        yield f"{finding.kind}: {finding.count:,}, such as {', '.join(finding.examples[:3])}"


def _with_copies(row: pd.Series) -> str:
    return f"{row['source_uri']} ({row['copies']} times)"


def _with_brightness(row: pd.Series) -> str:
    return f"{row['source_uri']} (mean {row['brightness']:.0f} of 255)"


def _with_sides(row: pd.Series) -> str:
    return f"{row['source_uri']} ({row['width']} x {row['height']})"


def _with_subject(row: pd.Series) -> str:
    return f"{row['source_uri']} ({row['subject']})"


SET_CHECKS = (
    SetCheck("near_duplicates_across_splits", "no published test image looks like a train image", "warn", _near_across),
    SetCheck("twins_across_splits", "no published test image is in train", "warn", _twins_across),
    SetCheck("label_conflicts", "no picture has two labels", "warn", _conflicts),
    SetCheck("copies", "no file comes twice", "warn", _copies, _with_copies),
    SetCheck("constant_images", "no image is one constant colour", "warn", _constant),
    SetCheck("exposure", "no image is all but black or white", "warn", _exposure, _with_brightness),
    SetCheck("aspect", f"no image is more than {_ASPECT:g} times as long as wide", "warn", _aspect, _with_sides),
    SetCheck(
        "resolution",
        f"no image has {_RESOLUTION:g} times the usual pixels, or as few",
        "warn",
        _resolution,
        _with_sides,
    ),
    SetCheck(
        "subjects_across_splits",
        "no published test image shows a person of train",
        "warn",
        _subjects_across,
        _with_subject,
    ),
    SetCheck("classes_of_splits", "every published split holds every class", "stop", _classes_of_splits),
    SetCheck("published_counts", "the classes are as large as published", "warn", _published),
    SetCheck("class_balance", "train and test hold the classes in similar shares", "warn", _balance),
    SetCheck("reader_findings", "the reader noticed nothing odd", "warn", _noticed),
)

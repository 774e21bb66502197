"""Checks of a whole data set that Great Expectations has no word for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from expressnet import duplicates

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
        culprits: yields what is against it, in words; the rows are those that can be decoded.
    """

    id: str
    title: str
    severity: str
    culprits: Callable[[pd.DataFrame, dict[str, Any]], Iterator[str]]


def _near_across(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    groups = pd.Series(duplicates.groups(rows), index=rows.index)
    in_test = rows["source_split"] == "test"
    straddling = in_test & groups.isin(groups[rows["source_split"] == "train"])
    yield from rows.loc[straddling, "source_uri"]


def _twins_across(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    if info["num_cross_split_twins"]:
        count = info["num_cross_split_twins"]
        yield f"{count:,} records of the published test split are in train, pixel by pixel"


def _conflicts(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    if info["num_conflict_groups"]:
        yield (
            f"{info['num_conflict_groups']:,} pictures came with different labels ({info['num_conflicting']:,} "
            "records, left out; label_conflicts.csv lists them)"
        )


def _copies(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    for row in rows[rows["copies"] > 1].itertuples():
        yield f"{row.source_uri} ({row.copies} times)"


def _constant(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    yield from rows.loc[rows["contrast"] == 0, "source_uri"]


def _exposure(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    is_odd = ((rows["brightness"] < _DARK) | (rows["brightness"] > _BRIGHT)) & (rows["contrast"] > 0)
    for row in rows[is_odd].itertuples():
        yield f"{row.source_uri} (mean {row.brightness:.0f} of 255)"


def _aspect(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    sides = rows[["width", "height"]]
    for row in rows[sides.max(axis=1) > _ASPECT * sides.min(axis=1)].itertuples():
        yield f"{row.source_uri} ({row.width} x {row.height})"


def _resolution(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    pixels = rows["width"].astype(float) * rows["height"]
    ratio = pixels / pixels.median() if len(pixels) else pixels
    for row in rows[(ratio > _RESOLUTION) | (ratio < 1 / _RESOLUTION)].itertuples():
        yield f"{row.source_uri} ({row.width} x {row.height})"


def _subjects_across(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    known = rows[rows["subject"] != ""]
    in_train = set(known.loc[known["source_split"] == "train", "subject"])
    yield from sorted(in_train & set(known.loc[known["source_split"] == "test", "subject"]))


def _classes_of_splits(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    published = rows[rows["source_split"].isin(["train", "test"])]
    for split, part in published.groupby("source_split"):
        for missing in sorted(set(info["classes"]) - set(part["label"])):
            yield f"{split} holds no {missing}"


def _published(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    if info["limit"]:
        return  # a sample
    # Records that were merged or left out for conflicts were there too.
    found = rows.groupby(["source_split", "label"])["copies"].sum()
    for split, counts in info["published_counts"].items():
        for label, wanted in counts.items():
            count = int(found.get((split, label), 0))
            if abs(count - wanted) > _CLASS_SHARE * wanted:
                yield f"{split}: {count:,} of {label}, published {wanted:,}"


def _balance(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    """Compares train and test: the same classes in very different shares make a test of another task."""
    counts = pd.crosstab(rows["label"], rows["source_split"])
    if {"train", "test"} <= set(counts):
        shared = counts[(counts["train"] > 0) & (counts["test"] > 0)]
        shares = shared / shared.sum()
        distance = float(np.abs(shares["train"] - shares["test"]).sum() / 2)
        if distance > _CLASS_SHARE:
            yield f"{distance:.0%} of the images would have to change their class"


def _noticed(rows: pd.DataFrame, info: dict[str, Any]) -> Iterator[str]:
    for finding in info["findings"]:
        yield f"{finding['kind']}: {finding['count']:,}, such as {', '.join(finding['examples'][:3])}"


SET_CHECKS = (
    SetCheck("near_duplicates_across_splits", "no published test image looks like a train image", "warn", _near_across),
    SetCheck("twins_across_splits", "no published test image is in train", "warn", _twins_across),
    SetCheck("label_conflicts", "no picture has two labels", "warn", _conflicts),
    SetCheck("copies", "no file comes twice", "warn", _copies),
    SetCheck("constant_images", "no image is one constant colour", "warn", _constant),
    SetCheck("exposure", "no image is all but black or white", "warn", _exposure),
    SetCheck("aspect", f"no image is more than {_ASPECT:g} times as long as wide", "warn", _aspect),
    SetCheck("resolution", f"no image has {_RESOLUTION:g} times the usual pixels, or as few", "warn", _resolution),
    SetCheck("subjects_across_splits", "no person is in the published train and test split", "warn", _subjects_across),
    SetCheck("classes_of_splits", "every published split holds every class", "stop", _classes_of_splits),
    SetCheck("published_counts", "the classes are as large as published", "warn", _published),
    SetCheck("class_balance", "train and test hold the classes in similar shares", "warn", _balance),
    SetCheck("reader_findings", "the reader noticed nothing odd", "warn", _noticed),
)

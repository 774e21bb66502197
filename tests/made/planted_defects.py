"""Manifests with one planted defect each, and clean ones, for the gate of the stage validate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from expressnet.artifacts.dataset_info import DatasetInfo, Finding
from expressnet.runtime import storage

CLASSES = ["sad", "happy"]


def clean_rows(count: int = 20) -> pd.DataFrame:
    """A manifest that passes: so many pictures, half of them sad and half of them happy."""
    return pd.DataFrame(
        {
            "sha256": [storage.bytes_sha256(b"%d" % number) for number in range(count)],
            "label": [CLASSES[number % 2] for number in range(count)],
            "source_split": "none",
            "source_uri": [f"{CLASSES[number % 2]}/{number}.png" for number in range(count)],
            "bytes": 1000,
            "width": 48,
            "height": 48,
            "problem": "",
            "subject": "",
            "copies": 1,
            "pixel_sha256": [storage.bytes_sha256(b"pixels %d" % number) for number in range(count)],
            # Far from each other: half of the 128 bits of two random hashes differ.
            "phash": [storage.bytes_sha256(b"look %d" % number)[:32] for number in range(count)],
            "brightness": 120.0,
            "contrast": 40.0,
        }
    )


INFO = DatasetInfo(dataset_id="d@1", dataset_digest="ab" * 32, classes=list(CLASSES))


def split_rows() -> pd.DataFrame:
    """The same with a published split, ten of each."""
    return clean_rows(40).assign(source_split=["train" if number < 20 else "test" for number in range(40)])


def _twin(manifest: pd.DataFrame, first: int, second: int) -> pd.DataFrame:
    """Makes the second row look like the first, but for one bit of its perceptual hash."""
    near = f"{int(manifest.loc[first, 'phash'], 16) ^ 1:032x}"
    return manifest.assign(phash=manifest["phash"].where(manifest.index != second, near))


def _set(manifest: pd.DataFrame, **values: tuple[int, Any]) -> pd.DataFrame:
    changed = manifest.copy()
    for column, (place, value) in values.items():
        changed.loc[place, column] = value
    return changed


# By the check that must find it: the manifest, what DatasetInfo says beside INFO, and what the finding says.
PLANTED: dict[str, tuple[pd.DataFrame, dict[str, Any], str]] = {
    "near_duplicates_across_splits": (_twin(split_rows(), 3, 33), {}, r"1 against it: happy/33\.png"),
    "twins_across_splits": (split_rows(), {"num_cross_split_twins": 280}, "280 records of the published test split"),
    "label_conflicts": (clean_rows(), {"num_conflict_groups": 2, "num_conflicting": 5}, r"2 pictures .* \(5 records"),
    "copies": (_set(clean_rows(), copies=(3, 4)), {}, r"happy/3\.png \(4 times\)"),
    "constant_images": (_set(clean_rows(), contrast=(3, 0.0)), {}, r"happy/3\.png"),
    "exposure": (_set(clean_rows(), brightness=(3, 2.0)), {}, r"happy/3\.png \(mean 2 of 255\)"),
    "aspect": (_set(clean_rows(), width=(3, 500)), {}, r"happy/3\.png \(500 x 48\)"),
    "resolution": (_set(clean_rows(), width=(3, 480), height=(3, 480)), {}, r"happy/3\.png \(480 x 480\)"),
    "subjects_across_splits": (
        _set(_set(split_rows(), subject=(3, "Ann")), subject=(33, "Ann")),
        {},
        r"1 against it: happy/33\.png \(Ann\)",
    ),
    "classes_of_splits": (split_rows().query("label == 'sad' or source_split == 'train'"), {}, "test holds no happy"),
    "published_counts": (split_rows(), {"published_counts": {"train": {"sad": 20}}}, "train: 10 of sad, published 20"),
    "class_balance": (split_rows().drop(index=range(21, 37, 2)), {}, "33% of the images would have to change"),
    "reader_findings": (
        clean_rows(),
        {"findings": [Finding(kind="missing files", count=7, examples=["a.jpg"])]},
        "missing files: 7, such",
    ),
    "unreadable": (_set(clean_rows(400), problem=(3, "empty")), {}, r"happy/3\.png \(empty\)"),
}


def in_parts(rows: pd.DataFrame, size: int) -> Callable[[list[str]], Iterator[pd.DataFrame]]:
    """Returns what yields columns of the rows, so many rows at a time."""
    return lambda columns: (rows[columns].iloc[start : start + size] for start in range(0, len(rows), size))


def clean_draw(seed: int) -> pd.DataFrame:
    """Returns a manifest with nothing wrong in it, drawn at random."""
    rng = np.random.default_rng(seed)
    return split_rows().assign(
        phash=[rng.bytes(16).hex() for _ in range(40)],
        brightness=rng.normal(120, 25, 40).clip(20, 230),
        contrast=rng.uniform(20, 70, 40),
        width=rng.integers(80, 120, 40),
        height=rng.integers(80, 120, 40),
    )

"""What is one example: records with the same bytes, conflicts of labels, samples."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

CONFLICTS_FILE = "label_conflicts.csv"  # beside the manifest: the records that were left out


def content(facts: pd.DataFrame) -> pd.Series:
    """Returns what makes records the same picture: their pixels, or their bytes where there are no pixels."""
    return facts["pixel_sha256"].where(facts["pixel_sha256"] != "", facts["sha256"])


def merge_duplicates(facts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes one row of all records with the same bytes.

    A row that came in the published test split stays test, wherever else it came; `copies` counts the records.

    Returns:
        The merged rows, and the records whose pixels came with different labels: they are left out of the first.
    """
    num_labels = facts.groupby(content(facts))["label"].transform("nunique")
    conflicts = facts[num_labels > 1].sort_values(["sha256", "source_uri"])
    agreeing = facts[num_labels == 1]
    rank = agreeing["source_split"].map({"test": 0, "train": 1, "none": 2})
    ordered = agreeing.assign(rank=rank).sort_values(["sha256", "rank", "source_uri"]).drop(columns="rank")
    merged = ordered.drop_duplicates("sha256").reset_index(drop=True)
    copies = agreeing.groupby("sha256").size()
    return merged.assign(copies=merged["sha256"].map(copies).astype("int32")), conflicts


def counts(kept: pd.DataFrame) -> dict[str, Any]:
    """Returns what dataset.json says of the merged rows: how many there are, of which classes and published splits."""
    return {
        "num_examples": len(kept),
        "num_duplicates": int((kept["copies"] - 1).sum()),
        "num_subjects": int(kept.loc[kept["subject"] != "", "subject"].nunique()),
        "class_counts": dict(sorted(Counter(kept["label"]).items())),
        "split_counts": dict(sorted(Counter(kept["source_split"]).items())),
    }


def num_cross_split_twins(facts: pd.DataFrame) -> int:
    """Counts the records of the published test split that have a pixel-identical twin in the published train split."""
    pictures, split = content(facts), facts["source_split"]
    return int(pictures[split == "test"].isin(pictures[split == "train"]).sum())


def stratified_sample(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Takes `limit` rows with the class and split proportions of all, chosen by their sha256.

    The choice is a function of the content alone: the same data gives the same sample.
    """
    if limit >= len(frame):
        return frame
    ordered = frame.sort_values("sha256")
    strata = ordered.groupby(["label", "source_split"])
    # Largest remainder: every stratum gets its share rounded down, the largest fractions one more.
    share = strata.size() * (limit / len(ordered))
    taken = (share // 1).astype(int)
    largest = (share - taken).sort_values(ascending=False, kind="stable").index
    taken[largest[: limit - taken.sum()]] += 1
    of_row = pd.MultiIndex.from_frame(ordered[["label", "source_split"]])
    return ordered[strata.cumcount().to_numpy() < taken.reindex(of_row).to_numpy()]

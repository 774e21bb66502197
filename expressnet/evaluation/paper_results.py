"""The figures of the paper, for whoever may be compared with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

# ExpressNet-MoE's rows of Table 3 (arXiv preprint of 10 October 2025).
_TABLE = Path(__file__).with_name("paper_results.csv")
# Whose labels and split the paper used, and how many rows its test split has.
_DATA = {
    "affectnet7@kaggle": ("affectnet7", 4_987),
    "affectnet8@kaggle": ("affectnet8", 5_635),
    "rafdb": ("rafdb", 3_068),
    "fer2013": ("fer2013", 7_178),
}
_SHARE_OF_ROWS = 0.95  # exact duplicates are one row here, so a few are missing


def compare(evaluation: dict[str, Any]) -> tuple[dict[str, float], str]:
    """Returns the paper's figures if they are about the same data and protocol, and why not otherwise.

    Args:
        evaluation: see expressnet.stages.evaluate.

    Returns:
        figures by name, {} where they can't be compared; the reason, "" where they can.
    """
    dataset_id, protocol, num_test = (evaluation[name] for name in ("dataset_id", "protocol", "num_test"))
    if dataset_id not in _DATA:
        return {}, f"the paper has no figures on {dataset_id}; it has on {', '.join(_DATA)}"
    name, num_published = _DATA[dataset_id]
    if protocol != "paper":
        return {}, (
            f"the paper chose its epoch on the test split, and this run (protocol {protocol}) did not; PROTOCOL=paper "
            "makes the two alike"
        )
    if not _SHARE_OF_ROWS * num_published <= num_test <= num_published:
        return {}, f"the paper's test split has {num_published:,} images and this one {num_test:,}"
    rows = pd.read_csv(_TABLE)
    return dict(rows.loc[rows["dataset"] == name, ["metric", "value"]].itertuples(index=False)), ""

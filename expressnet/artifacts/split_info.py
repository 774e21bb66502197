"""What split leaves beside the manifest with its column `split`."""

from __future__ import annotations

from typing import Any, ClassVar

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import Counts
from expressnet.artifacts.stored import Facts, Stored


class SplitReport(Facts):
    """What split says of its work.

    Attributes:
        protocol, seed: how; of an imported split those of the file.
        split_digest: of its content.
        num_train, num_val, num_test, num_dropped: rows.
        num_dropped_duplicates, num_dropped_subjects: dropped as near-duplicates of a test row, or for their person.
        num_subjects: people in the data set, where they are known.
        official_test: whether the data set publishes a test split.
        imported: whether a split file was used.
    """

    protocol: str
    seed: int = 0
    split_digest: str
    num_train: int = 0
    num_val: int = 0
    num_test: int = 0
    num_dropped: int = 0
    num_dropped_duplicates: int = 0
    num_dropped_subjects: int = 0
    num_subjects: int = 0
    official_test: bool = False
    imported: bool = False


class SplitInfo(SplitReport, Stored):
    """The facts of a split.

    Attributes:
        kept_from: version of the champion to whose split this one keeps, "" for none.
        config, code_digest: of the settings and the code that drew it.
        crops: the crops that it divides.
        counts: rows by part and class.
    """

    FILE: ClassVar[str] = "split.json"

    kept_from: str = ""
    config: dict[str, Any] = {}
    code_digest: str = ""
    crops: CropsInfo
    counts: dict[str, Counts] = {}

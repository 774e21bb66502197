"""The settings of the stage ingest."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

# How ten votes become a label (ferplus): the class that most voted for, or the shares as a probability target.
LABEL_MODES = ("majority", "probability")


@dataclasses.dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What is read, and how much a source may ask of us.

    Attributes:
        dataset: a name of expressnet.datasets.
        limit: at most this many examples, a sample stratified by class and published split; 0 takes all.
        licence_accepted: whether the user acknowledged the data set's licence; recorded.
        label_mode: for data sets with votes, `majority` or `probability`.
        max_files: most files a source may hold.
        max_bytes: most bytes a source may unpack to.
        max_ratio: most bytes that one byte of an archive may unpack to.
        deadline_s: longest time without any object arriving from a bucket, seconds; then the run stops.
        stall_s: longest time without a byte within one transfer, seconds; then it is tried again.
        num_transfers: objects fetched from a bucket at a time.
    """

    dataset: str = "demo"
    limit: int = 0
    licence_accepted: bool = False
    label_mode: str = "majority"
    max_files: int = 20_000_000
    max_bytes: int = 2 * 2**40
    max_ratio: float = 200.0
    deadline_s: float = 300.0
    stall_s: float = 30.0
    num_transfers: int = 16

    def __post_init__(self) -> None:
        require(self.limit >= 0, "limit", "0 (all) or a number of examples", self.limit)
        require(self.label_mode in LABEL_MODES, "label_mode", f"one of {', '.join(LABEL_MODES)}", self.label_mode)
        require(self.max_files > 0, "max_files", "positive", self.max_files)
        require(self.max_bytes > 0, "max_bytes", "positive", self.max_bytes)
        require(self.max_ratio > 1, "max_ratio", "above 1", self.max_ratio)
        require(self.deadline_s > 0, "deadline_s", "positive", self.deadline_s)
        require(self.stall_s > 0, "stall_s", "positive", self.stall_s)
        require(self.num_transfers > 0, "num_transfers", "positive", self.num_transfers)

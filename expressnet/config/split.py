"""The settings of the stage split."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

PROTOCOLS = ("honest", "paper")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Who is trained on, selected on, tested on.

    Attributes:
        protocol: `honest` (train/val/test, nothing straddles) or `paper` (train/test, selected on test).
        seed: of the random draws; the paper's is 52.
        val_fraction: share of the training part that is held out for selection, in `honest`.
        test_fraction: share held out for the test where the data set publishes no test split.
        split_file: a `split.csv` that another run wrote (path or gs://bucket/object), to be used instead of a draw; ""
            draws.
        split_file_digest: SHA-256 that the file must have; "" takes it as it is.
        kept_file: of `honest`: which rows another model was trained or tested on (expressnet.data.seen_rows): the
            first are not tested on, the second are again; "" for none.
        kept_digest: SHA-256 that the file must have.
    """

    protocol: str = "honest"
    seed: int = 52
    val_fraction: float = 0.1
    test_fraction: float = 0.2
    split_file: str = ""
    split_file_digest: str = ""
    kept_file: str = ""
    kept_digest: str = ""

    def __post_init__(self) -> None:
        require(self.protocol in PROTOCOLS, "protocol", f"one of {', '.join(PROTOCOLS)}", self.protocol)
        require(0 < self.val_fraction < 0.5, "val_fraction", "in (0, 0.5)", self.val_fraction)
        require(0 < self.test_fraction < 0.5, "test_fraction", "in (0, 0.5)", self.test_fraction)
        require(self.seed >= 0, "seed", "0 or more", self.seed)

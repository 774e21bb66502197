"""The settings of the stage split."""

from __future__ import annotations

from typing import Literal

from expressnet.config.base import option, setting, settings


@settings
class SplitConfig:
    """Who is trained on, selected on, tested on."""

    protocol: Literal["honest", "paper"] = option(
        "honest",
        "honest (train, val, test; nothing straddles; the test is opened once) or paper (the authors' own, selected on "
        "the test split, so optimistic)",
    )
    seed: int = option(52, "of the split and the training; the paper's is 52", ge=0)
    val_fraction: float = setting(
        0.1, "share of the training part that is held out for selection; of protocol=honest", gt=0, lt=0.5
    )
    test_fraction: float = setting(
        0.2, "share held out for the test where the data set publishes no test split", gt=0, lt=0.5
    )
    split_file: str = option(
        "",
        "a split.csv that another run wrote (a path; gs://bucket/object on a cluster), used instead of a draw",
        in_digest=False,
    )
    split_file_digest: str = option("", "SHA-256 that the split file must have; empty takes it as it is", hidden=True)
    # Of protocol=honest, see expressnet.data.seen_rows: which rows another model was trained on (they are not tested
    # on) and tested on (they are again).
    kept_file: str = setting("", "rows that another model met; empty for none", in_digest=False)
    kept_digest: str = setting("", "SHA-256 that the file of kept rows must have")

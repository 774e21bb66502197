"""The settings of the stage ingest."""

from __future__ import annotations

from typing import Literal

from expressnet.config.base import option, setting, settings


@settings
class SourceConfig:
    """Where a data set lies."""

    data_uri: str = option(
        "", "folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix of the data set; the demo set needs none"
    )


@settings
class IngestConfig:
    """What is read, and how much a source may ask of us."""

    dataset: str = option("demo", "name of the data set; `make datasets` lists them")
    limit: int = option(0, "use at most this many examples, a stratified sample; 0 uses all", ge=0)
    licence_accepted: bool = option(
        False, "you may use the data set under its licence; recorded with the run", flag="accept_licence"
    )
    # How ten votes become a label (ferplus): the class that most voted for, or the shares as a probability target.
    label_mode: Literal["majority", "probability"] = option(
        "majority", "label of a data set with votes: the majority's class, or the shares of the votes"
    )
    max_files: int = setting(20_000_000, "most files a source may hold", gt=0)
    max_bytes: int = setting(2 * 2**40, "most bytes a source may unpack to", gt=0)
    max_ratio: float = setting(200.0, "most bytes that one byte of an archive may unpack to", gt=1)
    deadline_s: float = setting(
        300.0, "longest time without any object arriving from a bucket, seconds; then the run stops", gt=0
    )
    stall_s: float = setting(
        30.0, "longest time without a byte within one transfer, seconds; then it is tried again", gt=0
    )
    num_transfers: int = setting(16, "objects fetched from a bucket at a time", gt=0)

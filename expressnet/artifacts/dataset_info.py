"""What ingest leaves beside the manifest and the shards of a data set."""

from __future__ import annotations

from typing import ClassVar

from expressnet.artifacts.stored import Facts, Stored

Counts = dict[str, int]


class Finding(Facts):
    """What a reader noticed about a copy of a data set.

    Attributes:
        kind: in a few words: `missing files`.
        count: how often.
        examples: some of the places.
    """

    kind: str
    count: int
    examples: list[str] = []


class DatasetInfo(Stored):
    """The facts of an ingested data set.

    Attributes:
        dataset, dataset_id: its reader's name, and the name that tells copies of other labels apart.
        dataset_digest: of its content.
        layout: which one was recognised.
        licence, licence_accepted, real_faces, pictures_allowed: what its reader knows, and what the user said.
        classes: in the order of the network's outputs.
        label_mode, limit: as they were asked for.
        num_records: images that were read, copies and all; `num_examples` of them are rows of the manifest.
        num_duplicates: copies beyond the first.
        num_conflicting, num_conflict_groups: records with two labels, and the pictures they are of; left out.
        num_ignored: system files.
        num_subjects: people, where they are known.
        num_forgotten: records that somebody asked to forget.
        num_cross_split_twins: records of the published test split whose pixels are in train.
        class_counts, split_counts: rows of the manifest; `published_counts` of the data set's authors, by split.
        findings: what the reader noticed.
        colours: mean histograms of R, G, B, each a list of shares; [] where unknown.
        source_version: of a bucket's listing.
    """

    FILE: ClassVar[str] = "dataset.json"

    dataset: str = ""
    dataset_id: str
    dataset_digest: str
    layout: str = ""
    licence: str = ""
    licence_accepted: bool = False
    real_faces: bool = True
    pictures_allowed: bool = False
    classes: list[str]
    label_mode: str = "majority"
    limit: int = 0
    num_conflicting: int = 0
    num_conflict_groups: int = 0
    num_ignored: int = 0
    num_examples: int = 0
    num_duplicates: int = 0
    num_subjects: int = 0
    class_counts: Counts = {}
    split_counts: Counts = {}
    published_counts: dict[str, Counts] = {}
    findings: list[Finding] = []
    num_records: int = 0
    num_forgotten: int = 0
    num_cross_split_twins: int = 0
    colours: list[list[float]] = []
    source_version: str = ""

"""What every data set module speaks in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

SOURCE_SPLITS = ("train", "test", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What people should know about a data set before they use it.

    Attributes:
        name: as in DATASET=.
        title: one line.
        licence: who may use it for what.
        layouts: the layouts that the reader knows, for messages.
        real_faces: whether the pictures show real people.
        needs_acceptance: whether the user has to acknowledge the licence (ACCEPT_LICENCE=1).
        pictures_allowed: whether the licence allows pictures of it in reports, where the user asks for them.
        default_uri: where it lies if the user names no place; "" where the user has to.
    """

    name: str
    title: str
    licence: str
    layouts: tuple[str, ...]
    real_faces: bool = True
    needs_acceptance: bool = True
    pictures_allowed: bool = False
    default_uri: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One example as the source holds it.

    Attributes:
        uri: file or row, for messages to people.
        label: a class of expressnet.labels.
        source_split: train, test or none, as published.
        subject: the person, "" where unknown.
        read: returns the original bytes; picklable.
        generation: of the object in a bucket, "" elsewhere.
        given_box_xyxy: the face box that the source gives, pixels of the stored (not turned) image; () where none.
        target: probability of every class in the order of Source.classes; () where the label is certain.
        attributes: what else the source says of the person (gender, race, age).
    """

    uri: str
    label: str
    source_split: str
    subject: str
    read: Callable[[], bytes]
    generation: str = ""
    given_box_xyxy: tuple[int, ...] = ()
    target: tuple[float, ...] = ()
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What a reader noticed about a copy and people should know; no reason to stop.

    Attributes:
        kind: in a few words: `folder and csv disagree`, `dropped code 9 (uncertain)`, `missing files`.
        count: how often.
        examples: some of the places, for people.
    """

    kind: str
    count: int
    examples: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A recognised copy of a data set.

    Attributes:
        dataset_id: name and label provenance (`affectnet7@kaggle`); figures of two ids are never compared.
        layout: the layout that was recognised.
        classes: in the order of the model's outputs.
        records: every example.
        num_ignored: hidden and system files that were passed over.
        findings: what the reader noticed.
        published_counts: examples of every class by published split, as the publishers give them; {} where unknown.
    """

    dataset_id: str
    layout: str
    classes: tuple[str, ...]
    records: list[Record]
    num_ignored: int = 0
    findings: tuple[Finding, ...] = ()
    published_counts: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)


def existing_path(data_uri: str, about: About) -> Path:
    """Returns the local path that `data_uri` (or the data set's default) names.

    Raises:
        ValueError: none is named, or it is no local path.
        FileNotFoundError: there is nothing at it.
    """
    uri = data_uri or about.default_uri
    expected = f"Expected one of: {'; '.join(about.layouts)}."
    if not uri:
        raise ValueError(f"DATASET={about.name} needs DATA_URI=<path of your copy>. {expected}")
    if "://" in uri:
        raise ValueError(f"DATA_URI must be a local path; got {uri!r}. {expected}")
    path = Path(uri).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"DATA_URI names {path.absolute()}, but nothing is there. {expected}")
    return path


def is_system_file(path: Path) -> bool:
    """Says whether a file is the operating system's own and no part of the data."""
    return path.name.startswith(".") or path.name in ("Thumbs.db", "desktop.ini", "__MACOSX")

"""What every data set module speaks in."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from expressnet.datasets import labels
from expressnet.sources.base import File, Tree

SOURCE_SPLITS = ("train", "test", "none")
# The licence of data sets that one signs for.
BY_AGREEMENT = "non-commercial research by agreement with the publishers; no picture may be shown beyond it"


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What people should know about a data set before they use it.

    Attributes:
        name: as in DATASET=.
        title: one line.
        licence: who may use it for what.
        layouts: the layouts that the reader knows, for messages.
        expected: how many examples there should be, in words.
        real_faces: whether the pictures show real people.
        needs_acceptance: whether the user has to acknowledge the licence (ACCEPT_LICENCE=1).
        pictures_allowed: whether the licence allows pictures of it in reports, where the user asks for them.
        default_uri: where it lies if the user names no place; "" where the user has to.
    """

    name: str
    title: str
    licence: str
    layouts: tuple[str, ...]
    expected: str = ""
    real_faces: bool = True
    needs_acceptance: bool = True
    pictures_allowed: bool = False
    default_uri: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One example as the source holds it.

    Attributes:
        uri: file or row, for messages to people.
        label: a class of expressnet.datasets.labels.
        source_split: train, test or none, as published.
        subject: the person, "" where unknown.
        read: returns the original bytes; picklable.
        generation: of the object in a bucket, "" elsewhere.
        given_box_xyxy: the face box that the source gives, pixels of the stored (not turned) image; None: none.
        given_box_shares: the same where the source gives it as shares of the upright image's width and height, 0..1.
        target: probability of every class in the order of Source.classes; () where the label is certain.
        attributes: what else the source says of the person (gender, race, age).
    """

    uri: str
    label: str
    source_split: str
    subject: str
    read: Callable[[], bytes]
    generation: str = ""
    given_box_xyxy: tuple[int, int, int, int] | None = None
    given_box_shares: tuple[float, float, float, float] | None = None
    target: tuple[float, ...] = ()
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_file(cls, file: File, *, label: str, source_split: str, subject: str = "", **more: Any) -> Record:
        """Returns the record of a picture that is a file of its own; `more` are further attributes."""
        return cls(
            uri=file.path,
            label=label,
            source_split=source_split,
            subject=subject,
            read=file.read,
            generation=file.generation,
            **more,
        )


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


def uri_or_default(data_uri: str, about: About) -> str:
    """Returns where the data set lies: what the user named, or its usual place.

    Raises:
        ValueError: the user named none and there is no usual place.
    """
    uri = data_uri or about.default_uri
    if not uri:
        raise ValueError(f"DATASET={about.name} needs DATA_URI=<where your copy lies>. {expected(about)}")
    return uri


def expected(about: About) -> str:
    """Returns the sentence for messages that says which layouts are known."""
    return f"Expected one of: {'; '.join(about.layouts)}."


def refusal(tree: Tree, about: About, hint: str = "") -> ValueError:
    """Returns the error for a source that has none of the known layouts; it says what is there instead."""
    top = tree.top()
    shown = ", ".join(top[:12]) + (f" and {len(top) - 12:,} more" if len(top) > 12 else "")
    there = f"{len(tree.files):,} files; at the top: {shown}" if tree.files else "no file, it is empty"
    hint = hint or "Does DATA_URI point one level too high or too low, or is it another data set?"
    return ValueError(f"{tree.uri} is not {about.title} as we know it: found {there}. {expected(about)} {hint}")


def unwrapped(tree: Tree) -> Tree:
    """Returns the tree without folders at the top that hold everything, as many archives have."""
    while len(tree.top()) == 1 and tree.top()[0].endswith("/") and not _is_label(tree.top()[0]):
        tree = tree.below(tree.top()[0].rstrip("/"))
    return tree


def _is_label(folder: str) -> bool:
    return labels.canonical(folder.rstrip("/")) is not None or folder.rstrip("/") in ("train", "test", "val", "valid")


class Findings:
    """Counts what a reader notices, with some of the places."""

    _SHOWN = 20

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, place: str) -> None:
        """Counts one."""
        self._counts[kind] += 1
        if len(self._examples[kind]) < self._SHOWN:
            self._examples[kind].append(place)

    def all(self) -> tuple[Finding, ...]:
        """Returns them by kind, in the order in which they were met."""
        return tuple(
            Finding(kind=kind, count=count, examples=tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        )


def read_csv(file: File, about: About) -> list[dict[str, str]]:
    """Reads a small table whole; the names of its columns are stripped of blanks.

    Raises:
        ValueError: it is no UTF-8, or a row has more or fewer fields than the header.
    """
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.path} is no UTF-8 text ({error}). {expected(about)}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in next(reader, [])]
    rows = []
    for values in reader:
        if len(values) != len(columns) and values:
            raise ValueError(
                f"{file.path} line {reader.line_num} has {len(values)} fields, the header {len(columns)} "
                f"({','.join(columns)}). Was the file cut off while copying?"
            )
        if values:
            rows.append(dict(zip(columns, (value.strip() for value in values), strict=True)))
    return rows

"""Anybody's photographs in one folder per class, with or without published splits above them."""

from __future__ import annotations

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import labels
from expressnet.datasets.base import About, Record, Source, expected, refusal, unwrapped
from expressnet.sources.base import Tree

ABOUT = About(
    name="folder",
    title="a folder of photographs, one folder per class",
    licence="yours; make sure that the people in the pictures agreed",
    needs_acceptance=False,
    pictures_allowed=True,
    layouts=("<class>/<image>", "{train,test}/<class>/<image>"),
    expected="any number; at least 10 of each class",
)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Lists the examples below a folder of class folders.

    Raises:
        ValueError: the layout is another one, a class is unknown, or there is nothing.
    """
    inner = unwrapped(tree)
    return scan_classes(inner if any(name.endswith("/") for name in inner.top()) else tree, ABOUT)


def scan_classes(tree: Tree, about: About) -> Source:
    """Lists the examples of a tree laid out as <class>/<image> or {train,test}/<class>/<image>.

    Raises:
        ValueError: the layout is another one, a class is unknown, or there is nothing.
    """
    if tree.empty:
        raise ValueError(f"Folder '{tree.empty[0]}' in {tree.uri} is empty. Put images in it or remove it.")
    if not tree.files:
        raise refusal(tree, about, "Put images in class folders there.")
    is_split = set(tree.top()) <= {"train/", "test/"}
    records = []
    for file in tree.files:
        *folders, _ = file.path.split("/")
        source_split = folders.pop(0) if is_split else "none"
        label = _label(file.path, folders, tree, about)
        records.append(Record.of_file(file, label=label, source_split=source_split))
    return Source(
        dataset_id=about.name,
        layout="{train,test}/<class>/<image>" if is_split else "<class>/<image>",
        classes=labels.class_order(record.label for record in records),
        records=records,
        num_ignored=tree.num_ignored,
    )


def _label(path: str, folders: list[str], tree: Tree, about: About) -> str:
    if not folders:
        raise ValueError(f"{path} in {tree.uri} is a file where a class folder was expected. {expected(about)}")
    label = labels.canonical(folders[0])
    if label is None:
        culprit = "/".join(path.split("/")[: -len(folders)])  # with the split that it is in
        raise ValueError(
            f"Folder '{culprit}' in {tree.uri} is not an expression class. Known classes: {labels.describe_known()}. "
            "Rename the folder, or does DATA_URI point one level too high or too low?"
        )
    if len(folders) > 1:
        raise ValueError(f"{path} in {tree.uri} lies in a folder inside a class folder; expected images there.")
    return label

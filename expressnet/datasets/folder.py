"""Anybody's photographs in one folder per class, with or without published splits above them."""

from __future__ import annotations

from pathlib import Path

from expressnet import labels
from expressnet.datasets.base import About, Record, Source, existing_path, is_system_file

ABOUT = About(
    name="folder",
    title="your own photographs, one folder per class",
    licence="yours; make sure that the people in the pictures agreed",
    needs_acceptance=False,
    pictures_allowed=True,
    layouts=("<class>/<image>", "{train,test}/<class>/<image>"),
)


def scan(data_uri: str) -> Source:
    """Lists the examples below a folder of class folders.

    Raises:
        ValueError: the layout is another one, a class is unknown, or there is nothing.
    """
    return scan_tree(existing_path(data_uri, ABOUT), ABOUT)


def scan_tree(root: Path, about: About) -> Source:
    """Lists the examples of `root`, laid out as <class>/<image> or {train,test}/<class>/<image>.

    Raises:
        ValueError: the layout is another one, a class is unknown, or there is nothing.
    """
    expected = f"Expected {' or '.join(ABOUT.layouts)} below {root}."
    if not root.is_dir():
        raise ValueError(f"{root} is a file. {expected}")
    folders = {path.name: path for path in _children(root)}
    if not folders:
        raise ValueError(f"{root} is empty. {expected}")
    is_split = set(folders) <= {"train", "test"} and all(path.is_dir() for path in folders.values())
    if is_split:
        records = [record for name in sorted(folders) for record in _class_folders(folders[name], name, root)]
    else:
        records = _class_folders(root, "none", root)
    if not records:
        raise ValueError(f"{root} has class folders but no file in them. {expected}")
    return Source(
        dataset_id=about.name,
        layout="{train,test}/<class>/<image>" if is_split else "<class>/<image>",
        classes=labels.class_order(record.label for record in records),
        records=records,
        num_ignored=sum(is_system_file(path) for path in root.rglob("*")),
    )


def _shown(path: Path, root: Path) -> str:
    """Returns a path below `root` for messages; bytes of its name that are no UTF-8 become question marks."""
    return str(path.relative_to(root)).encode("utf-8", "replace").decode()


def _children(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_system_file(path))


def _class_folders(folder: Path, source_split: str, root: Path) -> list[Record]:
    records: list[Record] = []
    for class_folder in _children(folder):
        label = labels.canonical(class_folder.name)
        shown = class_folder.relative_to(root)
        if not class_folder.is_dir():
            raise ValueError(
                f"{class_folder} is a file where a class folder was expected. Expected {' or '.join(ABOUT.layouts)}."
            )
        if label is None:
            raise ValueError(
                f"Folder '{shown}' in {root} is no expression class. Known classes: {labels.describe_known()}. "
                "Rename the folder, or does DATA_URI point one level too high or too low?"
            )
        for path in _children(class_folder):
            if path.is_dir():
                raise ValueError(f"Folder '{path.relative_to(root)}' in {root} lies inside a class folder; "
                                 f"expected images there.")  # fmt: skip
            records.append(
                Record(uri=_shown(path, root), label=label, source_split=source_split, subject="",
                       read=path.read_bytes)
            )  # fmt: skip
        if not any(_children(class_folder)):
            raise ValueError(f"Class folder '{shown}' in {root} is empty. Put images in it or remove it.")
    return records

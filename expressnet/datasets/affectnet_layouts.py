"""How the circulating copies of AffectNet are laid out."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterator

import numpy as np

from expressnet.datasets import labels
from expressnet.datasets.base import About, Findings, Record, read_csv
from expressnet.sources.base import File, Tree

CODES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
_NOT_EXPRESSIONS = {8: "none", 9: "uncertain", 10: "no face"}
YOLO_CODES = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # alphabetical
_OLD_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_OLD_IMAGES = "Manually_Annotated_Images"
_YOLO_PICTURE = re.compile(r"^(train|valid|test)/images/(.+)\.[A-Za-z]+$")
_MAX_NPY_BYTES = 1024
_SPLITS = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "test",
    "valid": "test",
    "test": "test",
    "validation": "test",
    "val_set": "test",
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way in which AffectNet circulates.

    Attributes:
        title: for people.
        provenance: where its labels come from; part of the data set's id.
        is_there: whether a tree has this layout.
        records: lists its examples, of all classes.
    """

    title: str
    provenance: str
    is_there: Callable[[Tree], bool]
    records: Callable[[Tree, About, Findings], Iterator[Record]]


def _has_kaggle(tree: Tree) -> bool:
    table = tree.by_path.get("labels.csv")
    return table is not None and b"pth" in table.read_range(0, 200).split(b"\n")[0]


def _kaggle(tree: Tree, about: About, findings: Findings) -> Iterator[Record]:
    """The csv wins over the name of the folder; its labels were partly rewritten by a model."""
    rows = read_csv(tree.by_path["labels.csv"], about)
    if not rows or not {"pth", "label"} <= set(rows[0]):
        raise ValueError(
            f"labels.csv must have the columns pth,label,relFCs and rows; got {list(rows[0]) if rows else []}."
        )
    named = set()
    for line, row in enumerate(rows, 2):
        label = labels.canonical(row["label"])
        if label is None:
            raise ValueError(
                f"labels.csv line {line}: unknown label {row['label']!r}. Known: {labels.describe_known()}."
            )
        if row["pth"] in named:
            findings.add("rows that came before", f"labels.csv line {line} ({row['pth']})")
            continue
        named.add(row["pth"])
        file = tree.by_path.get(row["pth"])
        if file is None:
            findings.add("missing files", f"{row['pth']} (labels.csv line {line})")
            continue
        if labels.canonical(row["pth"].split("/")[0]) != label:
            findings.add("folder and csv disagree; the csv counts", f"{row['pth']} is {row['label']} in the csv")
        yield Record.of_file(file, label=label, source_split="none")
    for file in tree.files:
        if file.path not in named and file.path != "labels.csv":
            findings.add("files without a label", file.path)


def _has_official_new(tree: Tree) -> bool:
    return any(file.path.startswith(("train_set/annotations/", "val_set/annotations/")) for file in tree.files)


def _official_new(tree: Tree, about: About, findings: Findings) -> Iterator[Record]:
    """The published val_set is the test split; the publishers hold back their own."""
    for file in tree.files:
        split, _, rest = file.path.partition("/")
        if split not in ("train_set", "val_set") or not rest.startswith("images/"):
            continue
        annotation = tree.by_path.get(f"{split}/annotations/{rest[len('images/') :].rsplit('.', 1)[0]}_exp.npy")
        if annotation is None:
            findings.add("files without a label", file.path)
            continue
        label = _coded(_npy_code(annotation), file.path, findings)
        if label:
            yield Record.of_file(file, label=label, source_split=_SPLITS[split])


def _npy_code(file: File) -> int:
    """Reads a 0-d array that holds a code as text or number; objects are never unpickled."""
    if file.size > _MAX_NPY_BYTES:
        raise ValueError(f"{file.path} has {file.size:,} bytes; an annotation has at most {_MAX_NPY_BYTES:,}.")
    try:
        value = np.load(io.BytesIO(file.read()), allow_pickle=False)
        return int(value.reshape(()).item())
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise ValueError(f"{file.path} must hold one expression code 0..10 as a 0-d array ({error}).") from error


def _coded(code: int, place: str, findings: Findings) -> str:
    if code in _NOT_EXPRESSIONS:
        findings.add(f"left out: code {code} ({_NOT_EXPRESSIONS[code]})", place)
        return ""
    if not 0 <= code < len(CODES):
        raise ValueError(
            f"{place} has the expression code {code}; codes are 0..10. Is it another version of AffectNet?"
        )
    return CODES[code]


def _has_official_old(tree: Tree) -> bool:
    return {"training.csv", "validation.csv"} & set(tree.by_path) != set() and any(
        file.path.startswith(f"{_OLD_IMAGES}/") for file in tree.files
    )


def _official_old(tree: Tree, about: About, findings: Findings) -> Iterator[Record]:
    """Whole photographs with a face box; extensions differ in case between csv and disk in some copies."""
    prefix = f"{_OLD_IMAGES}/"
    pictures = {file.path[len(prefix) :].casefold(): file for file in tree.files if file.path.startswith(prefix)}
    named = set()
    for table, split in (("training.csv", "train"), ("validation.csv", "test")):
        if table not in tree.by_path:
            findings.add("missing tables", table)
            continue
        for line, row in _old_rows(tree.by_path[table]):
            place = f"{table} line {line}"
            label = _coded(_whole(row["expression"], place), place, findings)
            key = row["subDirectory_filePath"].casefold()
            if key in named:
                findings.add("rows that came before", place)
            elif key not in pictures:
                findings.add("missing files", f"{row['subDirectory_filePath']} ({place})")
            elif label:
                box_xyxy = _box(row, place, findings)
                yield Record.of_file(pictures[key], label=label, source_split=split, given_box_xyxy=box_xyxy)
            named.add(key)
    for key, file in pictures.items():
        if key not in named:
            findings.add("files without a label", file.path)


def _old_rows(file: File) -> Iterator[tuple[int, dict[str, str]]]:
    """Reads a table of 400,000 long rows in a stream; some copies have no header."""
    with file.local.open(newline="", encoding="utf-8", errors="replace") as stream:
        columns: tuple[str, ...] = _OLD_COLUMNS
        for line, values in enumerate(csv.reader(stream), 1):
            if line == 1 and "expression" in values:
                columns = tuple(values)
            elif len(values) != len(columns):
                raise ValueError(
                    f"{file.path} line {line} has {len(values)} fields, expected {len(columns)} ({','.join(columns)}). "
                    "Was the file cut off while copying?"
                )
            else:
                yield line, dict(zip(columns, values, strict=True))


def _whole(text: str, place: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{place}: expected an expression code 0..10; got {text[:40]!r}.") from error


def _box(row: dict[str, str], place: str, findings: Findings) -> tuple[int, int, int, int] | None:
    try:
        x, y, width, height = (round(float(row[name])) for name in ("face_x", "face_y", "face_width", "face_height"))
    except ValueError:
        width = height = 0
    if width <= 0 or height <= 0:
        findings.add("rows without a face box", place)
        return None
    return x, y, x + width, y + height


def _has_yolo(tree: Tree) -> bool:
    tops = set(tree.top())
    return bool(tops & {"train/", "valid/", "test/"}) and any("/labels/" in f"/{file.path}" for file in tree.files)


def _yolo(tree: Tree, about: About, findings: Findings) -> Iterator[Record]:
    """Codes are alphabetical here, and the face box comes in shares of the image."""
    for file in tree.files:
        match = _YOLO_PICTURE.match(file.path)
        if match is None:
            continue
        text = tree.by_path.get(f"{match[1]}/labels/{match[2]}.txt")
        lines = text.read().decode("utf-8", "replace").split("\n") if text else []
        faces = [line.split() for line in lines if line.strip()]
        if text is None or not faces:
            findings.add("files without a label", file.path)
        elif len(faces) > 1:
            findings.add("left out: pictures of several faces", file.path)
        else:
            code = _whole(faces[0][0], text.path)
            if len(faces[0]) != 5 or not 0 <= code < len(YOLO_CODES):
                raise ValueError(f"{text.path}: expected `class cx cy w h` with a class 0..7; got {lines[0][:80]!r}.")
            yield Record.of_file(
                file,
                label=YOLO_CODES[code],
                source_split=_SPLITS[match[1]],
                given_box_shares=_yolo_box(faces[0][1:], text.path),
            )


def _yolo_box(cells: list[str], place: str) -> tuple[float, float, float, float]:
    """Turns centre and size into left, top, right, bottom; what leaves the image by rounding is cut off."""
    try:
        x, y, width, height = map(float, cells)
        is_box = 0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1
    except ValueError:
        is_box = False
    if not is_box:
        raise ValueError(
            f"{place}: expected `class cx cy w h` with the box in shares of the image, 0..1; got "
            f"{' '.join(cells)[:80]!r}. Are they pixels, or a segmentation?"
        )
    return max(0, x - width / 2), max(0, y - height / 2), min(1, x + width / 2), min(1, y + height / 2)


def _has_folders(tree: Tree) -> bool:
    folders = {tuple(file.path.split("/")[:2]) for file in tree.files if file.path.count("/") == 2}
    return bool(folders) and all(split in _SPLITS and _folder_label(name) for split, name in folders)


def _folder_label(name: str) -> str | None:
    return CODES[int(name)] if name in set("01234567") else labels.canonical(name)


def _folders(tree: Tree, about: About, findings: Findings) -> Iterator[Record]:
    """Where there is a `test` folder it is the test split and `val` is for training; otherwise `val` is the test."""
    has_test = any(file.path.startswith("test/") for file in tree.files)
    for file in tree.files:
        parts = file.path.split("/")
        label = _folder_label(parts[1]) if len(parts) == 3 else None
        if label is None:
            findings.add("files without a label", file.path)
            continue
        split = "train" if has_test and parts[0] != "test" else _SPLITS[parts[0]]
        yield Record.of_file(file, label=label, source_split=split)


LAYOUTS = (
    Layout("labels.csv (pth,label,relFCs) beside <class>/<image> (Kaggle)", "kaggle", _has_kaggle, _kaggle),
    Layout("{train_set,val_set}/{images,annotations} (official, new)", "official", _has_official_new, _official_new),
    Layout(
        "training.csv, validation.csv, Manually_Annotated_Images/ (official, old)",
        "official",
        _has_official_old,
        _official_old,
    ),
    Layout("{train,valid,test}/{images,labels} (YOLO)", "yolo", _has_yolo, _yolo),
    Layout("{train,val,test}/<0..7 or class>/<image>", "folders", _has_folders, _folders),
)

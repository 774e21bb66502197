"""RAF-DB, the basic emotions (Li, Deng and Du, CVPR 2017)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import labels
from expressnet.datasets.base import (
    BY_AGREEMENT,
    About,
    Findings,
    Record,
    Source,
    read_csv,
    refusal,
    unwrapped,
)
from expressnet.sources.base import File, Tree

CODES = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "anger", "7": "neutral"}
_TRAIN = (1290, 281, 717, 4772, 1982, 705, 2524)
_TEST = (329, 74, 160, 1185, 478, 162, 680)
PUBLISHED_COUNTS = {
    "train": dict(zip(CODES.values(), _TRAIN, strict=True)),
    "test": dict(zip(CODES.values(), _TEST, strict=True)),
}
_LIST = "EmoLabel/list_patition_label.txt"  # the publishers' own spelling
_NAME = re.compile(r"^(train|test)_\d+(_aligned)?\.(jpg|jpeg|png)$", re.IGNORECASE)
# The last three lines of an attribute file, by the code they hold.
_ATTRIBUTES = {
    "gender": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}

ABOUT = About(
    name="rafdb",
    title="RAF-DB, basic emotions, 7 classes",
    licence=BY_AGREEMENT,
    layouts=(
        "basic/EmoLabel/list_patition_label.txt with basic/Image/aligned/ or basic/Image/original/",
        "train_labels.csv and test_labels.csv (image,label) with DATASET/{train,test}/<1..7>/<image>",
    ),
    expected="12,271 train and 3,068 test images",
)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Lists the examples of the official layout or of the one on Kaggle.

    Raises:
        ValueError: the layout is neither, or a label is unknown.
    """
    inner = unwrapped(tree)
    findings = Findings()
    if _LIST in inner.by_path:
        layout, records = _scan_official(inner, findings)
    elif {"train_labels.csv", "test_labels.csv"} <= set(inner.by_path):
        layout, records = _scan_kaggle(inner, findings)
    else:
        raise refusal(tree, ABOUT)
    if not records:
        raise refusal(tree, ABOUT, "The labels are there, but none of the pictures they name.")
    return Source(
        dataset_id="rafdb",
        layout=layout,
        classes=labels.CLASSES_7,
        records=records,
        findings=findings.all(),
        published_counts=PUBLISHED_COUNTS,
        num_ignored=tree.num_ignored,
    )


def _scan_official(tree: Tree, findings: Findings) -> tuple[str, list[Record]]:
    folder = next((f for f in ("Image/aligned", "Image/original") if any(_below(tree, f))), "Image/aligned")
    pictures = {file.path.rsplit("/", 1)[-1]: file for file in _below(tree, folder)}
    records = []
    named = set()
    for line, (name, code) in _label_lines(tree.by_path[_LIST]):
        if name in named:
            findings.add("rows that came before", f"{name} ({_LIST} line {line})")
            continue
        named.add(name)
        shown = name.replace(".", "_aligned.") if folder.endswith("aligned") else name
        file = pictures.pop(shown, None)
        if file is None:
            findings.add("missing files", f"{shown} ({_LIST} line {line})")
            continue
        attributes = _attributes(tree, name.split(".")[0], findings)
        records.append(_record(file, name, code, attributes, f"{_LIST} line {line}"))
    for file in pictures.values():
        findings.add("files without a label", file.path)
    return f"official, {folder}", records


def _below(tree: Tree, folder: str) -> Iterable[File]:
    return (file for file in tree.files if file.path.startswith(f"{folder}/"))


def _label_lines(file: File) -> Iterable[tuple[int, tuple[str, str]]]:
    for line, text in enumerate(file.read().decode("utf-8", "replace").splitlines(), 1):
        fields = text.split()
        if len(fields) not in (0, 2):
            raise ValueError(f"{_LIST} line {line}: expected `train_00001.jpg 5`; got {text[:80]!r}.")
        if fields:
            yield line, (fields[0], fields[1])


def _record(file: File, name: str, code: str, attributes: dict[str, str], place: str) -> Record:
    match = _NAME.match(name)
    if match is None or code not in CODES:
        raise ValueError(
            f"{place}: expected a name like train_00001.jpg and a code 1..7; got {name[:80]!r} and {code[:20]!r}."
        )
    return Record.of_file(file, label=CODES[code], source_split=match[1].lower(), attributes=attributes)


def _attributes(tree: Tree, stem: str, findings: Findings) -> dict[str, str]:
    """Returns gender, race and age group of a picture; five lines of landmarks come before them."""
    file = tree.by_path.get(f"Annotation/manual/{stem}_manu_attri.txt")
    if file is None:
        return {}
    codes = file.read().decode("utf-8", "replace").split()[-3:]
    known = [
        code.isdigit() and int(code) < len(words) for code, words in zip(codes, _ATTRIBUTES.values(), strict=False)
    ]
    if len(codes) < 3 or not all(known):
        findings.add("attribute files that are torn", file.path)
        return {}
    return {name: words[int(code)] for code, (name, words) in zip(codes, _ATTRIBUTES.items(), strict=True)}


def _scan_kaggle(tree: Tree, findings: Findings) -> tuple[str, list[Record]]:
    pictures = {
        (file.path.split("/")[-3], file.path.split("/")[-1]): file
        for file in _below(tree, "DATASET")
        if file.path.count("/") == 3
    }
    records = []
    for split in ("train", "test"):
        table = f"{split}_labels.csv"
        rows = read_csv(tree.by_path[table], ABOUT)
        if not rows or not {"image", "label"} <= set(rows[0]):
            raise ValueError(f"{table} must have the columns image,label and at least one row.")
        named = set()
        for line, row in enumerate(rows, 2):
            if row["image"] in named:
                findings.add("rows that came before", f"{row['image']} ({table} line {line})")
                continue
            named.add(row["image"])
            file = pictures.pop((split, row["image"]), None)
            if file is None:
                findings.add("missing files", f"{row['image']} ({table} line {line})")
                continue
            records.append(_record(file, row["image"], row["label"], {}, f"{table} line {line}"))
            if file.path.split("/")[-2] != row["label"]:
                findings.add("folder and csv disagree; the csv counts", file.path)
    for file in pictures.values():
        findings.add("files without a label", file.path)
    return "Kaggle, DATASET/{train,test}/<1..7>", records

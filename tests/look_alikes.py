"""Writes small trees that look like the circulating copies of the public data sets; the faces are the demo set's."""

import csv
import functools
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
RAFDB = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "anger": 6, "neutral": 7}
AFFECTNET = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
YOLO = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@functools.cache
def _by_label() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    with (DEMO / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["label"], []).append(DEMO / row["file"])
    # The demo set shows no contempt; a mirrored neutral face stands for it.
    found["contempt"] = found["neutral"]
    return found


def faces(label: str, count: int, side_px: int, skip: int = 0) -> Iterator[bytes]:
    """Yields pictures of a class, every one another person, as JPEG; contempt is mirrored."""
    for path in _by_label()[label][skip : skip + count]:
        picture = Image.open(path).convert("RGB").resize((side_px, side_px))
        if label == "contempt":
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        buffer = io.BytesIO()
        picture.save(buffer, format="JPEG", quality=95)
        yield buffer.getvalue()


def put(path: Path, data: bytes | str) -> None:
    """Writes a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def touch(root: Path, *names: str) -> Path:
    """Writes files that hold nothing but their own names; returns `root`."""
    for name in names:
        put(root / name, name)
    return root


def rafdb_official(root: Path, num_train: int, num_test: int) -> Path:
    """Writes basic/EmoLabel, basic/Image/aligned and basic/Annotation/manual; the counts are of every class."""
    lines = []
    landmarks = "".join(f"{place}.5\t{place}.5\n" for place in range(5))
    for split, number, code, data in _rafdb_pictures(num_train, num_test):
        stem = f"{split}_{number:05d}"
        lines.append(f"{stem}.jpg {code}")
        put(root / f"basic/Image/aligned/{stem}_aligned.jpg", data)
        put(root / f"basic/Annotation/manual/{stem}_manu_attri.txt", f"{landmarks}{number % 3}\n0\n2\n")
    put(root / "basic/EmoLabel/list_patition_label.txt", "\n".join(lines) + "\n")
    return root


def rafdb_kaggle(root: Path, num_train: int, num_test: int) -> Path:
    """Writes {train,test}_labels.csv and DATASET/{train,test}/<1..7>/."""
    lines = {"train": ["image,label"], "test": ["image,label"]}
    for split, number, code, data in _rafdb_pictures(num_train, num_test):
        name = f"{split}_{number:05d}_aligned.jpg"
        lines[split].append(f"{name},{code}")
        put(root / f"DATASET/{split}/{code}/{name}", data)
    for split, rows in lines.items():
        put(root / f"{split}_labels.csv", "\n".join(rows) + "\n")
    return root


def _rafdb_pictures(num_train: int, num_test: int) -> Iterator[tuple[str, int, int, bytes]]:
    """Yields split, number within it, code and picture; nobody is in both splits."""
    for split, count, skip in (("train", num_train, 0), ("test", num_test, num_train)):
        pictures = ((code, data) for label, code in RAFDB.items() for data in faces(label, count, 100, skip))
        for number, (code, data) in enumerate(pictures, 1):
            yield split, number, code, data


def affectnet_kaggle(root: Path, count: int) -> Path:
    """Writes labels.csv and <class>/imageNNNNNNN.jpg; the count is of every class."""
    lines = [",pth,label,relFCs"]
    for label in AFFECTNET:
        for number, data in enumerate(faces(label, count, 96)):
            lines.append(f"{len(lines) - 1},{label}/image{number:07d}.jpg,{label},0.8")
            put(root / label / f"image{number:07d}.jpg", data)
    put(root / "labels.csv", "\n".join(lines) + "\n")
    return root


def affectnet_official_new(root: Path, count: int) -> Path:
    """Writes {train_set,val_set}/{images,annotations}; a code is text in a 0-d array, as published."""
    for split, skip in (("train_set", 0), ("val_set", count)):
        number = 0
        for code, label in enumerate(AFFECTNET):
            for data in faces(label, count, 96, skip):
                put(root / split / f"images/{number}.jpg", data)
                buffer = io.BytesIO()
                np.save(buffer, np.array(str(code)))
                put(root / split / f"annotations/{number}_exp.npy", buffer.getvalue())
                number += 1
    return root


def affectnet_official_old(root: Path, count: int, header: bool = True) -> Path:
    """Writes Manually_Annotated_Images/<dir>/<hash>.jpg, training.csv and validation.csv."""
    columns = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for table, skip in (("training", 0), ("validation", count)):
        lines = [columns] if header else []
        for code, label in enumerate(AFFECTNET):
            for number, data in enumerate(faces(label, count, 128, skip)):
                path = f"{code}/{table}{number}.jpg"
                put(root / "Manually_Annotated_Images" / path, data)
                lines.append(f"{path},16,16,96,96,{';'.join(['1.0'] * 136)},{code},0.1,0.2")
        put(root / f"{table}.csv", "\n".join(lines) + "\n")
    return root


def affectnet_yolo(root: Path, count: int) -> Path:
    """Writes {train,valid,test}/{images,labels}; the codes are alphabetical."""
    for place, split in enumerate(("train", "valid", "test")):
        for code, label in enumerate(YOLO):
            for number, data in enumerate(faces(label, count, 96, place * count)):
                put(root / split / f"images/{code}_{number}.jpg", data)
                put(root / split / f"labels/{code}_{number}.txt", f"{code} 0.5 0.5 0.9 0.9\n")
    return root


def affectnet_folders(root: Path, count: int, names: tuple[str, ...] = tuple("01234567")) -> Path:
    """Writes {train,val}/<0..7 or class>/; `names` in the order of the official codes."""
    for place, split in enumerate(("train", "val")):
        for name, label in zip(names, AFFECTNET, strict=True):
            for number, data in enumerate(faces(label, count, 96, place * count)):
                put(root / split / name / f"{number}.jpg", data)
    return root

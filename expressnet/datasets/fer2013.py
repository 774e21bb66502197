"""FER-2013: 35,887 gray faces of 48x48 pixels, as one csv or as folders."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from expressnet import labels
from expressnet.datasets import folder
from expressnet.datasets.base import About, Record, Source, existing_path

SIDE_PX = 48
CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# The paper's test split is PublicTest and PrivateTest together.
USAGES = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
_CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
# fer2013.csv and icml_face_data.csv hold the same three columns in another order.
_COLUMNS = {"emotion", "pixels", "Usage"}

ABOUT = About(
    name="fer2013",
    title="FER-2013, 48x48 gray, 7 classes",
    licence="research use (ICML 2013 challenge); bring your own copy",
    layouts=(
        "fer2013.csv (emotion,pixels,Usage)",
        "icml_face_data.csv (emotion, Usage, pixels)",
        "a folder that holds one of the two",
        "{train,test}/{angry,disgust,fear,happy,neutral,sad,surprise}/<image>",
        "{train,test}/{angry,disgusted,fearful,happy,neutral,sad,surprised}/<image>",
    ),
)


def scan(data_uri: str) -> Source:
    """Lists the examples of a csv or a folder layout.

    Raises:
        ValueError: the layout is none of ABOUT.layouts, or a row of the csv is torn.
    """
    path = existing_path(data_uri, ABOUT)
    csv_path = next((path / name for name in _CSV_NAMES if (path / name).is_file()), path)
    if csv_path.is_file():
        return Source(dataset_id="fer2013", layout=csv_path.name, classes=labels.CLASSES_7, records=_scan_csv(csv_path))
    source = folder.scan_tree(path, ABOUT)
    if "{train,test}" not in source.layout or source.classes != labels.CLASSES_7:
        raise ValueError(
            f"{path} is not FER-2013 as we know it: found {source.layout} with the classes "
            f"{', '.join(source.classes)}. Expected one of: {'; '.join(ABOUT.layouts)}. For your own photographs use "
            "DATASET=folder."
        )
    return source


def _scan_csv(path: Path) -> list[Record]:
    records, offset = [], 0
    with path.open("rb") as file:
        columns = _header(path, file.readline())
        offset = file.tell()
        for row, line in enumerate(file, start=1):
            if line.strip():
                records.append(_record(path, row, offset, line, columns))
            offset += len(line)
    if not records:
        raise ValueError(f"{path} has a header but no rows; was it cut off while copying?")
    return records


def _header(path: Path, line: bytes) -> list[str]:
    columns = [name.strip().strip('"') for name in line.decode("latin-1").split(",")]
    if set(columns) != _COLUMNS or len(columns) != len(_COLUMNS):
        raise ValueError(
            f"{path} starts with the columns {columns}; expected emotion,pixels,Usage or emotion, Usage, pixels. "
            f"Is it another data set?"
        )
    return columns


def _fields(path: Path, row: int, line: bytes, columns: list[str]) -> dict[str, bytes]:
    """Splits one row; none of its values holds a comma."""
    values = [value.strip().strip(b'"') for value in line.split(b",")]
    fields = dict(zip(columns, values, strict=False))
    num_pixels = len(fields.get("pixels", b"").split())
    if len(values) != len(columns) or num_pixels != SIDE_PX**2:
        raise ValueError(
            f"{path}, row {row} (line {row + 1}): expected {', '.join(columns)} with {SIDE_PX**2} pixel values; "
            f"got {len(values)} fields with {num_pixels} pixel values. Was the file cut off while copying?"
        )
    return fields


def _record(path: Path, row: int, offset: int, line: bytes, columns: list[str]) -> Record:
    fields = _fields(path, row, line, columns)
    code, usage = fields["emotion"].decode("latin-1"), fields["Usage"].decode("latin-1")
    if code not in map(str, range(len(CODES))) or usage not in USAGES:
        raise ValueError(
            f"{path}, row {row} (line {row + 1}): expected an emotion code 0..6 and a Usage of {', '.join(USAGES)}; "
            f"got emotion {code!r} and Usage {usage!r}."
        )
    return Record(
        uri=f"{path.name} row {row}",
        label=CODES[int(code)],
        source_split=USAGES[usage],
        subject="",
        read=functools.partial(_read_row, path, row, offset, len(line), columns),
    )


def _read_row(path: Path, row: int, offset: int, size: int, columns: list[str]) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        fields = _fields(path, row, file.read(size), columns)
    try:
        pixels = np.array(fields["pixels"].split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}, row {row} (line {row + 1}): pixels must be whole numbers ({error}).") from error
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(f"{path}, row {row} (line {row + 1}): pixels must be in 0..255; "
                         f"got {pixels.min()}..{pixels.max()}.")  # fmt: skip
    return encode_pgm(pixels.astype(np.uint8).reshape(SIDE_PX, SIDE_PX))


def encode_pgm(gray: np.ndarray) -> bytes:
    """Encodes uint8[height, width] as binary PGM.

    Uncompressed on purpose: the bytes, and so the sha256 and the dataset digest, depend on the pixels alone
    and on no version of a compression library.
    """
    height, width = gray.shape
    return b"P5\n%d %d\n255\n" % (width, height) + gray.tobytes()

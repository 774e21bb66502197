"""FER-2013: 35,887 gray faces of 48x48 pixels, as one csv or as folders."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from expressnet.config.ingest import IngestConfig
from expressnet.datasets import folder, labels
from expressnet.datasets.base import About, Finding, Findings, Record, Source, expected, refusal, unwrapped
from expressnet.sources.base import File, Tree

SIDE_PX = 48
CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# The paper's test split is PublicTest and PrivateTest together.
USAGES = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
_TRAIN = (3995, 436, 4097, 7215, 4830, 3171, 4965)
_TEST = (958, 111, 1024, 1774, 1247, 831, 1233)
PUBLISHED_COUNTS = {"train": dict(zip(CODES, _TRAIN, strict=True)), "test": dict(zip(CODES, _TEST, strict=True))}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
# fer2013.csv and icml_face_data.csv hold the same three columns in another order; train.csv has no Usage.
_COLUMNS = ({"emotion", "pixels", "Usage"}, {"emotion", "pixels"})

ABOUT = About(
    name="fer2013",
    title="FER-2013, 48x48 gray, 7 classes",
    licence="research use (ICML 2013 challenge); bring your own copy",
    layouts=(
        "fer2013.csv (emotion,pixels,Usage)",
        "icml_face_data.csv (emotion, Usage, pixels)",
        "train.csv (emotion,pixels), with or without test.csv, which has no labels",
        "{train,test}/{angry,disgust,fear,happy,neutral,sad,surprise}/<image>",
        "{train,test}/{angry,disgusted,fearful,happy,neutral,sad,surprised}/<image>",
    ),
    expected="28,709 Training, 3,589 PublicTest and 3,589 PrivateTest images",
)


def scan(tree: Tree, config: IngestConfig) -> Source:
    """Lists the examples of a csv or a folder layout.

    Raises:
        ValueError: the layout is none of ABOUT.layouts, or a row of the csv is torn.
    """
    inner = unwrapped(tree)
    if not inner.files:
        raise refusal(tree, ABOUT)
    table = find_csv(inner) or (inner.files[0] if len(inner.files) == 1 else inner.by_path.get("train.csv"))
    if table is not None and not table.path.endswith((".png", ".jpg")):
        findings = Findings()
        records = scan_csv(table, findings)
        noticed = findings.all() + _unlabelled(inner)
        return Source(
            dataset_id="fer2013",
            layout=table.path,
            classes=labels.CLASSES_7,
            records=records,
            findings=noticed,
            published_counts=PUBLISHED_COUNTS,
            num_ignored=tree.num_ignored,
        )
    source = folder.scan_classes(inner, ABOUT)
    if "{train,test}" not in source.layout or source.classes != labels.CLASSES_7:
        raise ValueError(
            f"{tree.uri} is not {ABOUT.title} as we know it: found {source.layout} with the classes "
            f"{', '.join(source.classes)}. {expected(ABOUT)} For your own photographs use DATASET=folder."
        )
    return dataclasses.replace(source, published_counts=PUBLISHED_COUNTS)


def find_csv(tree: Tree) -> File | None:
    """Returns the table that holds all rows, None where there is none."""
    return next((tree.by_path[name] for name in CSV_NAMES if name in tree.by_path), None)


def _unlabelled(tree: Tree) -> tuple[Finding, ...]:
    """Counts the rows of test.csv, which nobody can train or test on."""
    table = tree.by_path.get("test.csv")
    if table is None or find_csv(tree) is not None:
        return ()
    with table.local.open("rb") as file:
        num_rows = sum(1 for line in file if line.strip()) - 1
    return (Finding(kind="rows without a label in test.csv", count=num_rows),)


def scan_csv(table: File, findings: Findings) -> list[Record]:
    """Lists the rows of a csv; reads it once, in a stream. Rows that come twice are counted."""
    records, offset, seen = [], 0, set()
    with table.local.open("rb") as file:
        columns = _header(table.path, file.readline())
        offset = file.tell()
        for row, line in enumerate(file, start=1):
            if line.strip():
                record = _record(table, row, offset, line, columns)
                records.append(record)
                if (digest := hash(line)) in seen:
                    findings.add("rows that came before", record.uri)
                seen.add(digest)
            offset += len(line)
    if not records:
        raise ValueError(f"{table.path} has a header but no rows; was it cut off while copying?")
    return records


def _header(path: str, line: bytes) -> list[str]:
    columns = [name.strip().strip('"') for name in line.decode("latin-1").split(",")]
    if set(columns) not in _COLUMNS or len(columns) != len(set(columns)):
        raise ValueError(
            f"{path} starts with the columns {columns}; expected emotion,pixels,Usage or emotion, Usage, pixels "
            "or emotion,pixels. "
            f"Is it another data set?"
        )
    return columns


def _fields(path: str, row: int, line: bytes, columns: list[str]) -> dict[str, bytes]:
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


def _record(table: File, row: int, offset: int, line: bytes, columns: list[str]) -> Record:
    path = table.path
    fields = _fields(path, row, line, columns)
    code, usage = fields["emotion"].decode("latin-1"), fields.get("Usage", b"Training").decode("latin-1")
    if code not in map(str, range(len(CODES))) or usage not in USAGES:
        raise ValueError(
            f"{path}, row {row} (line {row + 1}): expected an emotion code 0..6 and a Usage of {', '.join(USAGES)}; "
            f"got emotion {code!r} and Usage {usage!r}."
        )
    return Record(
        uri=f"{path} row {row}",
        label=CODES[int(code)],
        source_split=USAGES[usage],
        subject="",
        read=functools.partial(_read_row, table, row, offset, len(line), columns),
        generation=table.generation,
    )


def _read_row(table: File, row: int, offset: int, size: int, columns: list[str]) -> bytes:
    path = table.path
    fields = _fields(path, row, table.read_range(offset, size), columns)
    try:
        pixels = np.array(fields["pixels"].split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}, row {row} (line {row + 1}): pixels must be whole numbers ({error}).") from error
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(
            f"{path}, row {row} (line {row + 1}): pixels must be in 0..255; got {pixels.min()}..{pixels.max()}."
        )
    return encode_pgm(pixels.astype(np.uint8).reshape(SIDE_PX, SIDE_PX))


def encode_pgm(gray: np.ndarray) -> bytes:
    """Encodes uint8[height, width] as binary PGM.

    Uncompressed on purpose: the bytes, and so the sha256 and the dataset digest, depend on the pixels alone
    and on no version of a compression library.
    """
    height, width = gray.shape
    return b"P5\n%d %d\n255\n" % (width, height) + gray.tobytes()

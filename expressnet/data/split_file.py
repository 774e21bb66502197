"""The exported split: which hash is in which part, for laboratories that share a split but no pictures.

A text file: comment lines `# key: value`, then the columns `sha256,split`, sorted by sha256.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from expressnet.runtime import storage

FILE_NAME = "split.csv"
SPLITS = ("train", "val", "test", "dropped")
HEADER_KEYS = ("dataset_digest", "protocol", "seed", "split_digest")
MAX_BYTES = 2**30  # fifteen million rows
_TITLE = "# ExpressNet split, version 1"
_COLUMNS = "sha256,split"
_NAMED = 3  # how many rows a message names
_MAX_HEADER_LINES = 50


class SplitFile(NamedTuple):
    """A split as it was exported.

    Attributes:
        name: of the file, for messages.
        header: `dataset_digest`, `protocol`, `seed` and `split_digest` of the exporter.
        keys: S32[rows], the hashes as bytes, sorted.
        parts: int8[rows], places in SPLITS.
    """

    name: str
    header: dict[str, str]
    keys: np.ndarray
    parts: np.ndarray


class Imported(NamedTuple):
    """What an exported split says of the rows of a manifest.

    Attributes:
        parts: int8[rows], places in SPLITS.
        seed: of the exporter's draw.
        split_digest: that the rows must have; "" if they are fewer than the exporter's.
    """

    parts: np.ndarray
    seed: int
    split_digest: str


def write(path: Path, header: Mapping[str, str], rows: Iterable[pa.RecordBatch]) -> None:
    """Writes the columns sha256 and split of batches that come in the order of sha256."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"{_TITLE}\n" + "".join(f"# {key}: {header[key]}\n" for key in HEADER_KEYS) + f"{_COLUMNS}\n")
        for batch in rows:
            lines = pc.binary_join_element_wise(*(batch[name].cast(pa.string()) for name in _COLUMNS.split(",")), ",")
            file.write("\n".join(lines.to_pylist()) + "\n")


@contextlib.contextmanager
def fetched(place: str) -> Iterator[Path]:
    """Yields the file at a path, or a copy of the object at gs://bucket/object.

    Raises:
        ValueError: the address is none of an object, or it is larger than MAX_BYTES.
        ConnectionError: the object can't be read.
    """
    if not place.startswith("gs://"):
        yield Path(place)
        return
    from expressnet.sources import mirror  # google-cloud-storage takes a second to import

    with tempfile.TemporaryDirectory() as folder:
        yield mirror.fetch(place, Path(folder) / FILE_NAME, max_bytes=MAX_BYTES)


def read(path: Path, name: str) -> SplitFile:
    """Reads an exported split; takes 33 bytes a row.

    Args:
        path: of the file.
        name: what the user called it, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no split, or a hash, a part or the order is wrong; the message names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"SPLIT_FILE={name} is not a file. Is it the {FILE_NAME} that a split wrote?")
    header, num_lines = _read_header(path, name)
    keys, parts, last, line = [], [], b"", num_lines + 1
    for batch in _read_rows(path, name, num_lines):
        _require_hashes(name, batch["sha256"], line)
        keys.append(_packed(batch["sha256"]))
        parts.append(_places(name, batch["split"], line))
        _require_order(name, np.append(np.array([last], "S32"), keys[-1]), line)
        last, line = keys[-1][-1], line + len(batch)
    if not keys:
        raise ValueError(f"{name} holds no row. Was it cut off while copying?")
    return SplitFile(name, header, np.concatenate(keys), np.concatenate(parts))


def _read_header(path: Path, name: str) -> tuple[dict[str, str], int]:
    """Returns the comment lines as a dict and how many lines come before the first row."""
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in itertools.islice(file, _MAX_HEADER_LINES)]
    comments = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    header = dict(line.lstrip("# ").split(": ", 1) for line in comments if ": " in line)
    columns = lines[len(comments)] if len(lines) > len(comments) else ""
    missing = [key for key in HEADER_KEYS if key not in header]
    if comments[:1] != [_TITLE] or missing or columns != _COLUMNS or not header["seed"].isdecimal():
        raise ValueError(
            f"{name} is not an exported split: it needs the line {_TITLE!r}, comments that say "
            f"{', '.join(HEADER_KEYS)} (the seed a number), and the columns {_COLUMNS!r}; it begins with {lines[:1]}, "
            f"says {header} and has {columns!r}."
        )
    return header, len(comments) + 1


def _read_rows(path: Path, name: str, num_lines: int) -> Iterator[pa.RecordBatch]:
    names = _COLUMNS.split(",")
    try:
        yield from pyarrow.csv.open_csv(
            path,
            pyarrow.csv.ReadOptions(skip_rows=num_lines, column_names=names, use_threads=False),
            pyarrow.csv.ParseOptions(quote_char=False),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise ValueError(f"{name} can't be read: {error}. Every row is <sha256>,<split>.") from error


def _require_hashes(name: str, column: pa.Array, line: int) -> None:
    is_hash = pc.match_substring_regex(column, storage.SHA256_PATTERN).to_numpy(zero_copy_only=False)
    if not is_hash.all():
        place = int(np.argmin(is_hash))
        raise ValueError(f"{name} line {line + place}: a SHA-256 has 64 lower-case hex digits; got {column[place]}.")


def _packed(column: pa.Array) -> np.ndarray:
    """Returns S32[rows], hex digests as bytes."""
    return np.frombuffer(bytes.fromhex("".join(column.to_pylist())), "S32")


def _places(name: str, column: pa.Array, line: int) -> np.ndarray:
    places = pc.index_in(column, pa.array(SPLITS))
    if places.null_count:
        place = int(np.argmax(places.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(f"{name} line {line + place}: a split is one of {', '.join(SPLITS)}; got {column[place]}.")
    return places.to_numpy().astype(np.int8)


def _require_order(name: str, keys: np.ndarray, line: int) -> None:
    """Checks S32[rows + 1], the last key before and those from `line` on."""
    is_right = keys[1:] > keys[:-1]
    if not is_right.all():
        place = int(np.argmin(is_right))
        key = keys[place + 1].ljust(32, b"\0").hex()
        problem = "stands twice" if keys[place + 1] == keys[place] else "comes after a larger one; sort the rows by it"
        raise ValueError(f"{name} line {line + place}: {key} {problem}.")


def assign(split: SplitFile, columns: Iterable[pa.Array], dataset_digest: str, *, num_forgotten: int) -> Imported:
    """Looks up every hash of a manifest in an exported split.

    Both must name the same hashes, but for what is explained: rows that the exporter dropped, and as many as are
    forgotten here, may be missing here.

    Args:
        split: the exported split.
        columns: hex digests of the manifest, in batches.
        dataset_digest: of the manifest, for messages.
        num_forgotten: how many examples are forgotten here.

    Raises:
        ValueError: a hash is missing on either side; the message counts and names some.
    """
    is_used = np.zeros(len(split.keys), bool)
    parts, unknown = [], [np.zeros(0, "S32")]
    for column in columns:
        keys = _packed(column)
        places = np.minimum(np.searchsorted(split.keys, keys), len(split.keys) - 1)
        is_known = split.keys[places] == keys
        is_used[places[is_known]] = True
        parts.append(split.parts[places])
        unknown.append(keys[~is_known])
    not_there = np.concatenate(unknown)
    absent = split.keys[~is_used & (split.parts != SPLITS.index("dropped"))]
    if len(not_there) or len(absent) > num_forgotten:
        sides = [_listed(not_there, "here but not in the file"), _listed(absent, "in the file but not here")]
        raise ValueError(
            f"{split.name} splits another data set: {'; '.join(filter(None, sides))}. Its data set is "
            f"{split.header['dataset_digest'][:16]}, this one {dataset_digest[:16]}. Both must be the same copy of the "
            "data, read with the same DATASET= and LIMIT=."
        )
    split_digest = split.header["split_digest"] if is_used.all() else ""
    return Imported(np.concatenate(parts), int(split.header["seed"]), split_digest)


def _listed(keys: np.ndarray, where: str) -> str:
    named = ", ".join(key.ljust(32, b"\0").hex() for key in keys[:_NAMED])
    return f"{len(keys):,} rows are {where} ({named}{', ...' if len(keys) > _NAMED else ''})" if len(keys) else ""

"""Which rows an earlier model was trained or tested on, so that a split can keep to it.

A split that is drawn anew puts people on whom the champion was trained into the test: the champion would look better
than it is, and a training that starts from its weights too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expressnet.runtime import storage

FOLDER = "kept"  # in a workspace
NEW, SEEN, TESTED = range(3)
_VERSION_KEY = b"expressnet_kept_from"


class Kept(NamedTuple):
    """What is known of the rows of a manifest.

    Attributes:
        version: of the earlier model.
        parts: int8[rows]: NEW (the earlier model never met it), SEEN or TESTED.
    """

    version: str
    parts: np.ndarray


def write(workspace: str | Path, version: str, seen: Iterable[str], tested: Iterable[str]) -> tuple[str, str]:
    """Stores the hashes of rows by what the earlier model did with them; returns path and SHA-256 of the file."""
    parts = dict.fromkeys(sorted(seen), SEEN) | dict.fromkeys(sorted(tested), TESTED)
    table = pa.table({"sha256": pa.array(parts, pa.string()), "part": pa.array(parts.values(), pa.int8())})
    buffer = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_VERSION_KEY: version}), buffer)
    data = buffer.getvalue().to_pybytes()
    digest = storage.bytes_sha256(data)
    path = Path(workspace) / FOLDER / f"{digest[:16]}.parquet"
    storage.write_bytes(path, data)
    return str(path), digest


def read(path: str | Path, digest: str, hashes: Iterable[pa.Array]) -> Kept:
    """Looks up rows in such a file.

    Args:
        path: of the file.
        digest: its SHA-256.
        hashes: SHA-256 of the rows, in parts.

    Raises:
        ValueError: the file has another SHA-256.
    """
    if (found := storage.file_sha256(Path(path))) != digest:
        raise ValueError(f"{path} must have the SHA-256 {digest}; got {found}. Was it edited, or `make forget` run?")
    table = pq.read_table(path)
    known, parts = table["sha256"].combine_chunks(), table["part"].to_numpy()
    version = table.schema.metadata[_VERSION_KEY].decode()
    places = [pc.fill_null(pc.index_in(part, known), -1).to_numpy(zero_copy_only=False) for part in hashes]
    # The last one is for rows that the file does not name.
    return Kept(version, np.append(parts, np.int8(NEW))[np.concatenate(places)].astype(np.int8))

"""Manifests of millions of rows: read, digested and written in batches, never held whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expressnet.data import manifest

BATCH_ROWS = 1 << 17


@contextlib.contextmanager
def reading(folder: str | Path, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    """Opens the manifest of `folder`.

    Raises:
        FileNotFoundError: the folder has no manifest.
        ValueError: it has another version or other columns than `schema`.
    """
    path = manifest.path_in(folder)
    with pq.ParquetFile(path, pre_buffer=False) as file:  # otherwise arrow holds all that it has read
        found = file.schema_arrow
        manifest.require_version(found, path)
        if set(found.names) != set(schema.names):
            missing, unknown = set(schema.names) - set(found.names), set(found.names) - set(schema.names)
            raise ValueError(f"{path} has other columns: missing {sorted(missing)}, unknown {sorted(unknown)}.")
        yield file


def batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields columns of a manifest in its order.

    Raises:
        ValueError: the rows are not in the order of sha256, or one stands twice.
    """
    last = ""
    for batch in file.iter_batches(BATCH_ROWS, columns=sorted({"sha256", *columns})):
        keys = pa.concat_arrays([pa.array([last]), batch["sha256"].cast(pa.string())])
        if not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
            raise ValueError("The rows of a manifest stand in the order of sha256, each once, but these do not.")
        last = keys[-1].as_py()
        yield batch.select(columns)


def digest(parts: Iterable[pa.RecordBatch], columns: tuple[str, ...]) -> str:
    """Returns `manifest.digest` of columns of text, whose rows come in the order of sha256."""

    def text(batch: pa.RecordBatch) -> str:
        cells = (batch[column].cast(pa.string()) for column in columns)
        return "\n".join(pc.binary_join_element_wise(*cells, manifest.CELL_END).to_pylist()) + "\n"

    return manifest.digest_of_lines(map(text, parts), columns)


@contextlib.contextmanager
def writing(folder: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Opens the manifest of `folder` for batches with the columns of `schema`, in the order of sha256."""
    with pq.ParquetWriter(folder / manifest.FILE_NAME, schema.with_metadata(manifest.METADATA)) as writer:
        yield writer

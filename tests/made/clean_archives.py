"""A folder as clean data sets are, and archives of it as programs make them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.made import hostile_archives


def write(folder: Path) -> Path:
    """Writes a folder with what clean data sets hold: Unicode names, deep and empty folders, empty and large files."""
    noise = np.random.default_rng(5)
    for name, size in (
        ("happy/a.jpg", 5000),
        ("happy/é ü.jpg", 300),
        ("悲しい/😀.jpg", 0),
        ("sad/deep/er/c.txt", 3_000_000),
        (f"sad/{'long' * 24}.jpg", 77),
        (".DS_Store", 9),
        ("labels.csv", 512),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(noise.bytes(size))
    (folder / "angry" / "none").mkdir(parents=True)
    return folder


def packed(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yields clean archives of a folder, of the kinds that are around."""
    members = [
        (f"{path.relative_to(folder).as_posix()}{'/' * path.is_dir()}", b"" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    ]
    yield "zip, deflated", hostile_archives.zip_bytes(*members)
    yield "zip, stored", hostile_archives.zip_bytes(*members, method=zipfile.ZIP_STORED)
    yield "zip64 with sizes behind the content", _streamed_zip(members)
    yield "zip with a comment", _commented(hostile_archives.zip_bytes(*members))
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        dotted = [("./", b""), *((f"./{name}", data) for name, data in members)]
        yield f"tar of format {form}", hostile_archives.tar_bytes(*dotted, form=form)
    yield "tar.gz", gzip.compress(hostile_archives.tar_bytes(*members), mtime=0)
    packed = hostile_archives.tar_bytes(*members)
    yield "tar.gz in two parts", gzip.compress(packed[:700], mtime=0) + gzip.compress(packed[700:], mtime=0)


def _streamed_zip(members: list[tuple[str, bytes]]) -> bytes:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(data)
    return pipe.getvalue()


def _commented(data: bytes, comment: bytes = b"made by hand") -> bytes:
    return data[:-2] + struct.pack("<H", len(comment)) + comment

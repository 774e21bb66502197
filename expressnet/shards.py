"""Tar shards plus index: written once, read at random.

A shard is an uncompressed tar of `<sha256>.<ext>` members, sorted, 256 MB at most; the manifest carries
shard, offset and size, so that one record is one `pread`, and any other tool that reads tar reads it too.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pandas as pd

MAX_SHARD_BYTES = 256 * 2**20
FOLDER = "shards"


class Location(NamedTuple):
    """Where a record's payload lies: shard file name, offset and size in bytes."""

    shard: str
    offset: int
    size: int


def prefix_digits(total_bytes: int) -> int:
    """Returns how many hex digits of the sha256 name a shard, so that a shard stays well under its limit."""
    digits = 1
    while total_bytes / 16**digits > MAX_SHARD_BYTES / 2:
        digits += 1
    return digits


def shard_name(sha256: str, digits: int) -> str:
    """Returns the shard of a record: a function of its content alone, so new data moves no old record."""
    return f"{sha256[:digits]}.tar"


def write(records: Iterable[tuple[str, str, bytes]], folder: Path, *, digits: int) -> Iterator[tuple[str, Location]]:
    """Writes (sha256, extension, payload) records, sorted by sha256, into shards; yields where each one went.

    Every shard gets its name by a rename once it is whole.

    Raises:
        ValueError: the records are not sorted by sha256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = ""
    for name, group in groupby(records, key=lambda record: shard_name(record[0], digits)):
        partial = folder / f"{name}.partial"
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for sha256, extension, payload in group:
                if sha256 <= last:
                    raise ValueError(f"Records must come sorted by sha256: {sha256} came after {last}.")
                last = sha256
                member = tarfile.TarInfo(f"{sha256}.{extension}")
                member.size = len(payload)
                tar.addfile(member, io.BytesIO(payload))
                padded = -(-len(payload) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                yield sha256, Location(name, tar.offset - padded, len(payload))
        partial.replace(folder / name)


def locate(frame: pd.DataFrame) -> list[Location]:
    """Returns where the payload of every row of a manifest lies."""
    return list(map(Location, frame["shard"], frame["offset"], frame["size"]))


def locations(path: Path) -> dict[str, Location]:
    """Returns where each record of one finished shard lies, by sha256."""
    with tarfile.open(path) as tar:
        return {member.name.split(".")[0]: Location(path.name, member.offset_data, member.size) for member in tar}


class Reader:
    """Reads payloads at random from the shards below one folder; safe to use from threads."""

    def __init__(self, folder: str | Path):
        self._folder = Path(folder) / FOLDER
        self._fds: dict[str, int] = {}

    def read(self, location: Location) -> bytes:
        """Returns one payload.

        Raises:
            OSError: the shard is missing or shorter than the manifest says.
        """
        fd = self._fds.get(location.shard)
        if fd is None:
            fd = self._fds.setdefault(location.shard, os.open(self._folder / location.shard, os.O_RDONLY))
        payload = os.pread(fd, location.size, location.offset)
        if len(payload) != location.size:
            raise OSError(
                f"{self._folder / location.shard} ends early: {location.size} bytes wanted at {location.offset}, "
                f"{len(payload)} there. Delete the folder that holds it and run again."
            )
        return payload

    def close(self) -> None:
        """Closes every open shard."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

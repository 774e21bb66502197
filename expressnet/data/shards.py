"""Tar shards plus index: written once, read at random.

A shard is an uncompressed tar of `<sha256>.<ext>` members, sorted, 256 MB at most; beside it lies its index, a
parquet file with sha256, offset, size and whatever else was found out about each record. The manifest carries shard,
offset and size as well, so that one record is one `pread`, and any other tool that reads tar reads it too.

A shard's name says what is in it (leading digits of the hashes, digest of all of them), and shards never change. So
a data set that grew takes over the shards of its predecessor by hard links and writes new ones for the new records.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
import pyarrow as pa

from expressnet.runtime import storage

MAX_SHARD_BYTES = 256 * 2**20
FOLDER = "shards"


class Location(NamedTuple):
    """Where a record's payload lies: shard file name, offset and size in bytes."""

    shard: str
    offset: int
    size: int


class Payload(NamedTuple):
    """A record to be stored: its key, the member's file extension, its bytes and what the index says of it."""

    sha256: str
    extension: str
    data: bytes
    facts: Mapping[str, Any] = {}


Make = Callable[[list[str]], Iterable[Payload]]


def fill(
    folder: Path, wanted: Collection[str], make: Make, *, bytes_each: float, earlier: Sequence[Path] = ()
) -> pd.DataFrame:
    """Makes `folder` hold the wanted records in whole shards, and does only what is missing.

    What an interrupted call left in `folder` is kept. The shards are a function of `wanted`, `bytes_each` and the
    shards of `earlier`.

    Args:
        folder: gets the shards and their indices.
        wanted: keys (sha256) of all records.
        make: returns the payloads of the keys it is given, in the same (sorted) order.
        bytes_each: expected mean size of a payload.
        earlier: shard folders of predecessors; their shards are linked where all of their records are wanted.

    Returns:
        The index of all wanted records, sorted by sha256: sha256, shard, offset, size and the payloads' facts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    adopted, groups = _plan(set(wanted), bytes_each, earlier)
    for name, source in adopted.items():
        for file_name in (_index_name(name), name):
            _link(source / file_name, folder / file_name)
    _write_missing(folder, groups, make)
    names = [*adopted, *groups]
    for path in folder.iterdir():
        if (path.suffix == ".tar" and path.name not in names) or path.name.endswith(storage.PARTIAL_SUFFIX):
            path.unlink()  # of an interrupted call whose records are no longer wanted
            path.with_suffix(".parquet").unlink(missing_ok=True)
    return pd.concat([index(folder, name) for name in names]).sort_values("sha256").reset_index(drop=True)


def fill_part(
    folder: Path,
    wanted: Collection[str],
    make: Make,
    *,
    bytes_each: float,
    earlier: Sequence[Path] = (),
    part: int,
    num_parts: int,
) -> int:
    """Writes every `num_parts`-th of the shards that `fill` with the same arguments would write.

    Parts may run at the same time, the same one twice too: each leaves the others' files alone, and a shard appears
    whole. What is linked, what is left over and what no part has written is for `fill` to see to.

    Args:
        folder: gets the shards and their indices.
        wanted: keys (sha256) of all records, not of this part's only.
        make: see `fill`.
        bytes_each: see `fill`.
        earlier: see `fill`.
        part: number of this part, from 0.
        num_parts: how many there are.

    Returns:
        How many records the part's shards hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _, groups = _plan(set(wanted), bytes_each, earlier)
    mine = dict(islice(groups.items(), part, None, num_parts))
    _write_missing(folder, mine, make)
    return sum(map(len, mine.values()))


def _plan(wanted: set[str], bytes_each: float, earlier: Sequence[Path]) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """Returns which shards are taken over, by name the folder that has them, and which are written, with their keys."""
    adopted = _adoptable(wanted, earlier, limit=4 * len(_groups(sorted(wanted), bytes_each)) + 16)
    covered = {sha256 for name, source in adopted.items() for sha256 in index(source, name)["sha256"]}
    return adopted, _groups(sorted(wanted - covered), bytes_each)


def _write_missing(folder: Path, groups: Mapping[str, list[str]], make: Make) -> None:
    missing = {name: keys for name, keys in groups.items() if not _is_whole(folder, name, keys)}
    payloads = iter(make([key for keys in missing.values() for key in keys])) if missing else iter(())
    for name, keys in missing.items():
        _write(folder, name, islice(payloads, len(keys)))


def _adoptable(wanted: set[str], earlier: Sequence[Path], *, limit: int) -> dict[str, Path]:
    """Returns the shards of predecessors that fit, none if there are so many that writing anew is better."""
    adopted: dict[str, Path] = {}
    covered: set[str] = set()
    for source in earlier:
        for path in sorted(source.glob("*.tar")):
            keys = set(index(source, path.name)["sha256"])
            if keys <= wanted and not keys & covered:
                adopted[path.name] = source
                covered |= keys
    return adopted if len(adopted) <= limit else {}


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        partial = target.with_name(target.name + storage.PARTIAL_SUFFIX)
        shutil.copyfile(source, partial)
        partial.replace(target)


def _groups(keys: list[str], bytes_each: float) -> dict[str, list[str]]:
    """Divides sorted keys by their leading digits so that a shard stays well under its limit; by shard name."""
    digits = 0
    while len(keys) * bytes_each / 16**digits > MAX_SHARD_BYTES / 2:
        digits += 1
    groups = [(prefix, list(group)) for prefix, group in groupby(keys, key=lambda key: key[:digits])]
    return {f"{prefix or 'all'}-{storage.json_digest(group)[:16]}.tar": group for prefix, group in groups}


def _is_whole(folder: Path, name: str, keys: list[str]) -> bool:
    """Returns whether an interrupted call left this shard, and nothing has damaged it since."""
    if not (folder / name).exists():
        return False
    try:
        found = index(folder, name)
    except (OSError, pa.ArrowInvalid):
        return False
    return list(found["sha256"]) == keys and (folder / name).stat().st_size >= (found["offset"] + found["size"]).max()


def _write(folder: Path, name: str, payloads: Iterator[Payload]) -> None:
    # A name of its own, because an attempt that was given up may still be writing the same shard on another node.
    partial = folder / f"{uuid.uuid4().hex}-{name}{storage.PARTIAL_SUFFIX}"
    try:
        with partial.open("wb") as file:
            rows = _write_tar(file, payloads)
            file.flush()
            os.fsync(file.fileno())
        buffer = io.BytesIO()
        pd.DataFrame(rows).to_parquet(buffer, index=False)
        storage.write_bytes(folder / _index_name(name), buffer.getvalue())
        partial.replace(folder / name)
    finally:
        partial.unlink(missing_ok=True)


def _write_tar(file: IO[bytes], payloads: Iterator[Payload]) -> list[dict[str, Any]]:
    """Writes the payloads as members; returns the rows of their index."""
    rows = []
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for payload in payloads:
            member = tarfile.TarInfo(f"{payload.sha256}.{payload.extension}")
            member.size = len(payload.data)
            tar.addfile(member, io.BytesIO(payload.data))
            padded = -(-len(payload.data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            place = {"sha256": payload.sha256, "offset": tar.offset - padded, "size": len(payload.data)}
            rows.append({**place, **payload.facts})
    return rows


def _index_name(name: str) -> str:
    return name.removesuffix(".tar") + ".parquet"


def index(folder: Path, name: str) -> pd.DataFrame:
    """Returns the index of one shard: sha256, shard, offset, size and what else was kept of each record."""
    return pd.read_parquet(folder / _index_name(name)).assign(shard=name)


def locate(frame: pd.DataFrame) -> list[Location]:
    """Returns where the payload of every row of a manifest lies."""
    return list(map(Location, frame["shard"], frame["offset"], frame["size"]))


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

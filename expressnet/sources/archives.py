"""Unpacks .zip, .tar and .tar.gz into files with names of our own, counting while it streams."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from expressnet import console, storage
from expressnet.config.ingest import IngestConfig
from expressnet.sources import names, tars, zips
from expressnet.sources.base import File, Place, Tree, is_system_name
from expressnet.sources.member import Member

_MAGIC_BYTES = 265
_CHUNK = 1 << 20
_FREE_BYTES = 10 * 2**20  # so much may come from any archive, whatever the ratio
_FILES_A_FOLDER = 10_000
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"7z\xbc\xaf'\x1c": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstd"}


class Unpacking:
    """A place whose single file, if it is an archive, stands for what is in it; any other is as it was."""

    def __init__(self, place: Place, spool_dir: Path, config: IngestConfig) -> None:
        self.uri, self.version = place.uri, place.version
        self._place, self._config = place, config
        self._folder = spool_dir / f"unpacked-{storage.bytes_sha256(place.uri.encode())[:16]}"

    def fetch(self) -> Tree:
        """Returns the files; those of an archive lie in the spool until `release`.

        Raises:
            ValueError: the archive is damaged, deceives, or is larger than the limits; nothing of it is left then.
        """
        tree = self._place.fetch()
        kind = _kind(tree.files[0].read_range(0, _MAGIC_BYTES)) if len(tree.files) == 1 else ""
        if not kind:
            return tree
        if kind not in ("zip", "tar", "gzip"):
            raise ValueError(f"{self.uri} is a {kind} archive; only .zip, .tar and .tar.gz are unpacked.")
        partial = self._folder.with_name(self._folder.name + storage.PARTIAL_SUFFIX)
        for old in (partial, self._folder):  # of a run that was killed
            shutil.rmtree(old, ignore_errors=True)
        with storage.removed_on_error(partial):
            archive = tree.files[0]
            budget = _Budget(self.uri, archive.size, self._config)
            found, num_ignored = _unpack(_members(archive.local, kind, self.uri, self._config), partial, budget)
        partial.replace(self._folder)
        files = [File(path=path, local=self._folder / place, size=size) for path, place, size in found]
        return Tree(self.uri, tuple(sorted(files, key=lambda file: file.path)), num_ignored)

    def release(self) -> None:
        """Deletes what was unpacked and fetched."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._place.release()


def _kind(start: bytes) -> str:
    """Returns what kind of archive begins so, or ""."""
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start[257:262] == b"ustar":
        return "tar"
    return next((name for magic, name in _OTHERS.items() if start.startswith(magic)), "")


def _members(path: Path, kind: str, source: str, config: IngestConfig) -> Iterator[Member]:
    if kind == "zip":
        yield from zips.members(path, source, config.max_files)
        return
    with path.open("rb") as file:
        if kind == "tar":
            yield from tars.members(file, source)
            return
        with gzip.open(file) as unpacked:
            stream = cast(BinaryIO, _NotFaster(unpacked, file, source, config))
            yield from tars.members(stream, source)
            while stream.read(_CHUNK):  # gzip's checksum comes last
                pass


class _NotFaster:
    """Hands on what a gzip stream gives, as long as it is not too much for what was read of the file."""

    def __init__(self, stream: gzip.GzipFile, file: io.BufferedReader, source: str, config: IngestConfig) -> None:
        self._stream, self._file, self._source, self._config = stream, file, source, config
        self._given = 0

    def read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self._source} is a damaged gzip file ({error}). Copy it again.") from error
        self._given += len(data)
        if self._given > _FREE_BYTES + self._config.max_ratio * self._file.tell():
            raise ValueError(_bomb(self._source, self._config))
        return data


def _bomb(source: str, config: IngestConfig) -> str:
    return (
        f"{source} unpacks to more than {config.max_ratio:g} times its own size (max_ratio); pictures do not. Is it an "
        "archive that was made to fill disks?"
    )


class _Budget:
    """Counts what comes out of an archive."""

    def __init__(self, source: str, packed_bytes: int, config: IngestConfig) -> None:
        self.source, self._packed_bytes, self._config = source, packed_bytes, config
        self.num_files = self.num_bytes = 0

    def start(self, member: Member) -> None:
        """Counts a member before it is read."""
        self.num_files += 1
        if self.num_files > self._config.max_files:
            raise ValueError(f"{self.source} holds more than {self._config.max_files:,} files (max_files).")
        self._require(self.num_bytes + member.size)
        if member.packed and member.size > _FREE_BYTES + self._config.max_ratio * member.packed:
            raise ValueError(_bomb(self.source, self._config))

    def add(self, num_bytes: int) -> None:
        """Counts bytes that were read."""
        self.num_bytes += num_bytes
        self._require(self.num_bytes)

    def _require(self, num_bytes: int) -> None:
        if num_bytes > self._config.max_bytes:
            raise ValueError(f"{self.source} unpacks to more than {self._config.max_bytes:,} bytes (max_bytes).")
        if num_bytes > _FREE_BYTES + self._config.max_ratio * self._packed_bytes:
            raise ValueError(_bomb(self.source, self._config))


def _unpack(members: Iterator[Member], folder: Path, budget: _Budget) -> tuple[list[tuple[str, str, int]], int]:
    """Writes every member to a numbered file; returns path, place and bytes of each, and how many were ignored."""
    found: list[tuple[str, str, int]] = []
    num_ignored, taken = 0, names.Taken(budget.source)
    for member in console.progress(members, unit="files unpacked"):
        budget.start(member)
        path = names.safe(member.name, budget.source)
        if is_system_name(path):
            num_ignored += 1
            continue
        taken.add(path)
        place = f"{len(found) // _FILES_A_FOLDER:05d}/{len(found):08d}"
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        _write(member, folder / place, budget)
        found.append((path.encode("utf-8", "replace").decode(), place, member.size))
    return found, num_ignored


def _write(member: Member, path: Path, budget: _Budget) -> None:
    num_bytes = 0
    with path.open("wb") as file:
        while data := member.read(_CHUNK):
            if not num_bytes and (kind := _kind(data[:_MAGIC_BYTES])):
                raise ValueError(
                    f"{budget.source} holds {member.name[:120]!r}, itself a {kind} archive. Unpack it yourself first."
                )
            num_bytes += len(data)
            budget.add(len(data))
            file.write(data)
    if num_bytes != member.size:
        raise ValueError(
            f"{budget.source}: {member.name[:120]!r} should have {member.size:,} bytes, but has {num_bytes:,}. "
            "Copy the archive again."
        )

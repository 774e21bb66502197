"""Unpacks .zip, .tar and .tar.gz into files with names of our own, counting while it streams."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from expressnet.config.ingest import IngestConfig
from expressnet.runtime import console, storage
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
            partial.mkdir(parents=True)
            unpacked = _Unpacked(partial, _Budget(self.uri, tree.files[0].size, partial, self._config))
            for member in console.progress(_members(tree.files[0].local, kind, self.uri, self._config), unit="files"):
                unpacked.add(member)
        partial.replace(self._folder)
        files = [File(path=path, local=self._folder / place, size=size) for path, place, size in unpacked.files]
        files.sort(key=lambda file: file.path)
        return Tree(self.uri, tuple(files), unpacked.num_ignored, unpacked.empty())

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

    def __init__(self, source: str, packed_bytes: int, folder: Path, config: IngestConfig) -> None:
        self.source, self._packed_bytes, self._folder, self._config = source, packed_bytes, folder, config
        self._disk_bytes = shutil.disk_usage(folder).free
        self.num_members = self.num_bytes = 0

    def start(self, member: Member) -> None:
        """Counts a member before it is read."""
        self.num_members += 1
        if self.num_members > self._config.max_files:
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
        if num_bytes > self._disk_bytes:
            raise ValueError(
                f"{self.source} unpacks to {num_bytes:,} bytes or more, but {self._folder.parent} has only "
                f"{self._disk_bytes:,} free. Free some space or set OUT= to another disk."
            )


class _Unpacked:
    """What was written into a folder so far.

    Attributes:
        files: path in the archive, place in the folder, and bytes of each.
        num_ignored: the operating system's own files.
    """

    def __init__(self, folder: Path, budget: _Budget) -> None:
        self.files: list[tuple[str, str, int]] = []
        self.num_ignored = 0
        self._folder, self._budget = folder, budget
        self._taken, self._folders = names.Taken(budget.source), set[str]()

    def add(self, member: Member) -> None:
        """Writes a file under a number; its name is kept as text only."""
        self._budget.start(member)
        if member.is_folder:
            self._add_folder(member.name)
            return
        path = names.safe(member.name, self._budget.source)
        if is_system_name(path):
            self.num_ignored += 1
            return
        self._taken.add(path)
        place = f"{len(self.files) // _FILES_A_FOLDER:05d}/{len(self.files):08d}"
        (self._folder / place).parent.mkdir(exist_ok=True)
        _write(member, self._folder / place, self._budget)
        self.files.append((names.shown(path), place, member.size))

    def _add_folder(self, name: str) -> None:
        inside = names.safe(f"{name.rstrip('/')}/_", self._budget.source)  # the root itself is "." or "./"
        path = inside.rpartition("/")[0]
        if path and not is_system_name(path):
            self._taken.add_folder(path)
            self._folders.add(names.shown(path))

    def empty(self) -> tuple[str, ...]:
        """Returns the folders without files."""
        return names.without_files(self._folders, (path.rpartition("/")[0] for path, _, _ in self.files))


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

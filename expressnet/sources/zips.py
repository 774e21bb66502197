"""Members of a zip file, without trusting it; zipfile reads, and what it does not check is checked before."""

from __future__ import annotations

import functools
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from expressnet.sources.member import Member

_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, OverflowError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END = struct.Struct("<4s4H2LH")  # end of central directory (APPNOTE.TXT 4.3.16)
_LOCAL = struct.Struct("<4s5H3L2H")  # local file header (4.3.7)
_SEARCHED = _END.size + 65_535  # the longest comment
_FEWEST_BYTES = 46  # of an entry of the central directory


def members(path: Path, source: str, max_files: int) -> Iterator[Member]:
    """Yields the files; each has to be read before the next is asked for.

    Raises:
        ValueError: the file is damaged or deceives, or a member is neither a file nor a folder.
    """
    _require_few(path, source, max_files)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > max_files:
                raise ValueError(_too_many(source, len(entries), max_files))
            _require_apart(path, entries, source)
            for entry in entries:
                _require_plain(entry, source)
                if not entry.is_dir():
                    with archive.open(entry) as content:
                        read = functools.partial(_read, content, source)
                        yield Member(entry.orig_filename, entry.file_size, read, entry.compress_size)
    except _DAMAGES as error:
        raise ValueError(f"{source} is a damaged zip file ({error}). Copy it again.") from error


def _read(content: IO[bytes], source: str, size: int) -> bytes:
    try:
        return content.read(size)
    except _DAMAGES as error:
        raise ValueError(f"{source} is a damaged zip file ({error}). Copy it again.") from error


def _too_many(source: str, count: int, max_files: int) -> str:
    return f"{source} holds {count:,} files; at most {max_files:,} are taken (max_files)."


def _require_few(path: Path, source: str, max_files: int) -> None:
    """Counts the entries from the end record, before zipfile reads them all into memory."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _SEARCHED))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise ValueError(f"{source} is a cut-off zip file: it has no end record. Copy it again.")
    fields = _END.unpack_from(tail, place)
    count, directory_bytes = fields[4], fields[5]
    is_zip64 = count == 0xFFFF or directory_bytes == 0xFFFFFFFF
    if not is_zip64 and (count > max_files or directory_bytes // _FEWEST_BYTES > max_files + 65_536):
        raise ValueError(_too_many(source, max(count, directory_bytes // _FEWEST_BYTES), max_files))
    locator = tail.rfind(b"PK\x06\x07", 0, place)
    if is_zip64 and locator >= 0:
        offset = struct.unpack_from("<Q", tail, locator + 8)[0]
        with path.open("rb") as file:
            file.seek(min(offset, path.stat().st_size))
            record = file.read(56)
        if record[:4] == b"PK\x06\x06" and len(record) == 56:
            count = struct.unpack_from("<Q", record, 32)[0]
            if count > max_files:
                raise ValueError(_too_many(source, count, max_files))


def _require_apart(path: Path, entries: list[zipfile.ZipInfo], source: str) -> None:
    """Refuses members that share bytes, which is how a small file unpacks to petabytes (Fifield, 2019)."""
    end = 0
    with path.open("rb") as file:
        for entry in sorted(entries, key=lambda one: one.header_offset):
            file.seek(entry.header_offset)
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
                raise ValueError(f"{source}: {entry.filename[:120]!r} has no local header. Copy it again.")
            fields = _LOCAL.unpack(header)
            if entry.header_offset < end:
                raise ValueError(f"{source}: {entry.filename[:120]!r} overlaps another member. It was not unpacked.")
            sizes_later = fields[2] & 0x08  # a data descriptor follows the content
            if not sizes_later and fields[8] not in (entry.file_size, 0xFFFFFFFF):
                raise ValueError(
                    f"{source}: {entry.filename[:120]!r} has {entry.file_size:,} bytes in the directory and "
                    f"{fields[8]:,} in its own header. It was not unpacked."
                )
            end = entry.header_offset + _LOCAL.size + fields[9] + fields[10] + entry.compress_size


def _require_plain(entry: zipfile.ZipInfo, source: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    problem = ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device; only files and folders are unpacked"
    elif entry.flag_bits & 0x1:
        problem = "is encrypted. Unpack it yourself first"
    elif entry.compress_type not in _METHODS:
        problem = f"is compressed by method {entry.compress_type}; only stored and deflated members are unpacked"
    elif entry.is_dir() and entry.file_size:
        problem = "is a folder with content"
    if problem:
        raise ValueError(f"{source}: {entry.filename[:120]!r} {problem}.")

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

from expressnet.sources import member
from expressnet.sources.member import Member

_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, OverflowError, UnicodeError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END = struct.Struct("<4s4H2LH")  # end of central directory (APPNOTE.TXT 4.3.16)
_LOCAL = struct.Struct("<4s5H3L2H")  # local file header (4.3.7)
_END_64 = struct.Struct("<4sQ2H2L4Q4sLQL")  # zip64 end record and its locator (4.3.14, 4.3.15)
_SEARCHED = _END.size + 65_536  # the longest comment, as zipfile searches
_COUNTED_TO = 65_536  # some programs count modulo this, so that the directory's size tells more
_FEWEST_BYTES = 46  # of an entry of the central directory


def members(path: Path, source: str, max_files: int) -> Iterator[Member]:
    """Yields files and folders; each has to be read before the next is asked for.

    Raises:
        ValueError: the file is damaged or deceives, or a member is neither a file nor a folder.
    """
    count = _require_few(path, source, max_files)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > max_files:
                raise ValueError(_too_many(source, len(entries), max_files))
            if (len(entries) - count) % _COUNTED_TO:
                raise ValueError(f"{source} claims {count:,} files and lists {len(entries):,}. It was not unpacked.")
            _require_apart(path, entries, archive.start_dir, source)
            for entry in entries:
                _require_plain(entry, source)
                if entry.orig_filename.endswith("/"):
                    yield member.folder(entry.orig_filename)
                    continue
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


def _require_few(path: Path, source: str, max_files: int) -> int:
    """Returns how many entries the archive claims, before zipfile reads them all into memory."""
    count, directory_bytes = _end_record(path, source)
    if count > max_files or directory_bytes // _FEWEST_BYTES > max_files + _COUNTED_TO:
        raise ValueError(_too_many(source, max(count, directory_bytes // _FEWEST_BYTES), max_files))
    return count


def _end_record(path: Path, source: str) -> tuple[int, int]:
    """Returns how many entries the directory claims and its bytes, from the record that zipfile goes by."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _SEARCHED - _END_64.size))
        tail = file.read()
    place = len(tail) - _END.size
    if tail[place : place + 4] != b"PK\x05\x06" or tail[-2:] != bytes(2):
        place = tail.rfind(b"PK\x05\x06", max(0, len(tail) - _SEARCHED))
    if place < 0 or len(tail) - place < _END.size:
        raise ValueError(f"{source} is a cut-off zip file: it has no end record. Copy it again.")
    if place >= _END_64.size:
        end_64 = _END_64.unpack_from(tail, place - _END_64.size)
        if end_64[0] == b"PK\x06\x06" and end_64[10] == b"PK\x06\x07":
            return end_64[7], end_64[8]
    end = _END.unpack_from(tail, place)
    return end[4], end[5]


def _require_apart(path: Path, entries: list[zipfile.ZipInfo], directory_offset: int, source: str) -> None:
    """Refuses members that share bytes, which is how a small file unpacks to petabytes (Fifield, 2019)."""
    end = 0
    with path.open("rb") as file:
        for entry in sorted(entries, key=lambda one: one.header_offset):
            if entry.header_offset < end:
                raise ValueError(f"{source}: {entry.filename[:120]!r} overlaps another member. It was not unpacked.")
            file.seek(min(entry.header_offset, directory_offset))
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
                raise ValueError(f"{source}: {entry.filename[:120]!r} has no local header. Copy it again.")
            fields = _LOCAL.unpack(header)
            _require_agreement(entry, fields, source)
            end = entry.header_offset + _LOCAL.size + fields[9] + fields[10] + entry.compress_size
            if end > directory_offset:
                raise ValueError(f"{source}: {entry.filename[:120]!r} reaches beyond the files. It was not unpacked.")


def _require_agreement(entry: zipfile.ZipInfo, header: tuple[int, ...], source: str) -> None:
    if header[2] & 0x08:  # the sizes follow the content
        return
    for ours, theirs in ((entry.compress_size, header[7]), (entry.file_size, header[8])):
        if theirs not in (ours, 0xFFFFFFFF):
            raise ValueError(
                f"{source}: {entry.filename[:120]!r} has {ours:,} bytes in the directory and {theirs:,} in its own "
                "header. It was not unpacked."
            )


def _require_plain(entry: zipfile.ZipInfo, source: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    problem = ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device; only files and folders are unpacked"
    elif entry.flag_bits & 0x1:
        problem = "is encrypted. Unpack it yourself first"
    elif entry.compress_type not in _METHODS:
        problem = f"is compressed by method {entry.compress_type}; only stored and deflated members are unpacked"
    elif entry.orig_filename.endswith("/") and entry.file_size:
        problem = "is a folder with content"
    if problem:
        raise ValueError(f"{source}: {entry.filename[:120]!r} {problem}.")

"""Members of a tar file, one after the other, without trusting it.

The headers are read by tarfile's TarInfo.frombuf. tarfile itself is not used: it reads extended headers of any
claimed size into memory, and the filters of its extraction can be passed (CVE-2025-4517).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from expressnet.sources import member
from expressnet.sources.member import Member

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20
_MAX_EXTENDED_BYTES = 64 * 1024  # of a header that carries a long name
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def members(stream: BinaryIO, source: str) -> Iterator[Member]:
    """Yields files and folders; each has to be read before the next is asked for.

    Raises:
        ValueError: a header is damaged, the file ends too early or goes on behind its end, or a member is neither a
            file nor a folder.
    """
    long_name = ""
    while header := _header(stream, source):
        padded = -(-header.size // _BLOCK) * _BLOCK
        if header.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            long_name = _extended(stream, header, padded, source) or long_name
            continue
        name, long_name = long_name or header.name, ""
        if header.type == tarfile.DIRTYPE:
            if header.size:
                raise ValueError(f"{source} holds the folder {name[:120]!r} with content. It was not unpacked.")
            yield member.folder(name)
            continue
        if header.type not in _PLAIN:
            kind = _KINDS.get(header.type, f"of the unknown kind {header.type!r}")
            raise ValueError(f"{source} holds {name[:120]!r}, which is {kind}; only files and folders are unpacked.")
        content = _Content(stream, header.size, source)
        yield Member(name, header.size, content.read)
        content.finish(padded - header.size)
    while data := stream.read(_CHUNK):
        if data.count(0) < len(data):
            raise ValueError(
                f"{source} goes on behind its end. Are these several tar files in one? Unpack it yourself."
            )


def _header(stream: BinaryIO, source: str) -> tarfile.TarInfo | None:
    block = stream.read(_BLOCK)
    if len(block) < _BLOCK:
        raise ValueError(f"{source} is cut off: a tar file ends with blocks of zeros. Copy it again.")
    if not any(block):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ValueError(f"{source} is not a tar file, or is damaged ({error}). Copy it again.") from error
    if header.size < 0:
        raise ValueError(f"{source} holds {header.name[:120]!r} with the size {header.size}. It was not unpacked.")
    return header


def _extended(stream: BinaryIO, header: tarfile.TarInfo, padded: int, source: str) -> str:
    """Returns the long name that an extended header gives to the next member, or ""."""
    if header.size > _MAX_EXTENDED_BYTES:
        raise ValueError(
            f"{source} has an extended header of {header.size:,} bytes; at most {_MAX_EXTENDED_BYTES:,} are read."
        )
    data = stream.read(padded)[: header.size]
    if len(data) < header.size:
        raise ValueError(f"{source} is cut off within an extended header. Copy it again.")
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    records = _pax_records(data, source)
    # A name for every member of the archive is no name.
    risky = {"size", "linkpath", "path"} if header.type == tarfile.XGLTYPE else {"size", "linkpath"}
    found = sorted(key for key in records if key in risky or key.startswith("GNU.sparse"))
    if found:
        raise ValueError(
            f"{source} overrides {', '.join(found)[:120]} in an extended header; such archives are not unpacked."
        )
    return records.get("path", "")


def _pax_records(data: bytes, source: str) -> dict[str, str]:
    """Reads records `<length> <key>=<value>` that end with a newline (POSIX.1-2001, pax)."""
    records = {}
    while data:
        length, _, rest = data.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(data) or data[int(length) - 1 :][:1] != b"\n":
            raise ValueError(f"{source} has a damaged extended header. Copy it again.")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[int(length) :]
    return records


class _Content:
    def __init__(self, stream: BinaryIO, size: int, source: str) -> None:
        self._stream, self._left, self._source = stream, size, source

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        if not data and min(size, self._left):
            raise ValueError(f"{self._source} is cut off within a file. Copy it again.")
        self._left -= len(data)
        return data

    def finish(self, padding: int) -> None:
        """Reads what the caller left, and the padding."""
        while self._left:
            self.read(_CHUNK)
        self._stream.read(padding)

"""Builds archives that nobody means well with, and bombs; the same bytes every time."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator

# What is hostile about a name: the name, and a part of the reason to refuse it.
NAMES = {
    "absolute": ("/etc/passwd", "is absolute"),
    "upwards": ("../outside.txt", "leads upwards"),
    "upwards within": ("a/../../outside.txt", "leads upwards"),
    "only dots": ("..", "leads upwards"),
    "home": ("~/../../outside.txt", "leads upwards"),
    "folder upwards": ("../outside/", "leads upwards"),
    "absolute folder": ("/etc/", "is absolute"),
    "empty part": ("a//b", "an empty part"),
    "dot part": ("a/./b", "an empty part"),
    "drive": ("C:/outside.txt", "a drive letter"),
    "backslash": ("a\\..\\..\\outside.txt", "a backslash"),
    "control": ("a\x01b", "a control character"),
    "newline": ("a\nb", "a control character"),
    "long part": ("x" * 256, "a part of more than 255 bytes"),
    "long path": ("/".join(["d" * 200] * 25), "more than 4096 bytes"),
}
PAIRS = {
    "twice": ("a.jpg", "a.jpg"),
    "upper case": ("a.jpg", "A.JPG"),
    "Unicode forms": ("\u00e9.jpg", "e\u0301.jpg"),
    "file as folder": ("a", "a/b"),
    "folder as file": ("a/b", "a"),
    "sharp s": ("stra\u00dfe", "STRASSE"),
    "file as empty folder": ("a", "A/"),
}
_TAR_KINDS = {
    "symbolic link": (tarfile.SYMTYPE, "a symbolic link"),
    "hard link": (tarfile.LNKTYPE, "a hard link"),
    "character device": (tarfile.CHRTYPE, "a device"),
    "block device": (tarfile.BLKTYPE, "a device"),
    "pipe": (tarfile.FIFOTYPE, "a pipe"),
    "sparse file": (tarfile.GNUTYPE_SPARSE, "a sparse file"),
    "contiguous file": (tarfile.CONTTYPE, "unknown kind"),
    "unknown kind": (b"Z", "unknown kind"),
    "GNU long link": (tarfile.GNUTYPE_LONGLINK, "unknown kind"),
}


def tar_bytes(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT, **fields: object) -> bytes:
    """Returns a tar of files and, where a name ends with a slash, folders; `fields` are set on every header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Returns a zip of files and, where a name ends with a slash, folders."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def archives() -> Iterator[tuple[str, bytes, str]]:
    """Yields what is hostile about an archive, the archive, and a part of the reason to refuse it."""
    builders: dict[str, Callable[..., bytes]] = {
        "zip": zip_bytes,
        "tar": tar_bytes,
        "tar.gz": lambda *members: gzip.compress(tar_bytes(*members), mtime=0),
    }
    for kind, build in builders.items():
        for title, (name, reason) in NAMES.items():
            yield (
                f"{kind}: {title}",
                build(("good.jpg", b"good"), (name, b"" if name.endswith("/") else b"bad")),
                reason,
            )
        for title, (first, second) in PAIRS.items():
            members = [(name, b"" if name.endswith("/") else name.encode()) for name in (first, second)]
            yield f"{kind}: {title}", _quiet(build, *members), "the same file on some systems"
        yield f"{kind}: nested zip", build(("inner.jpg", zip_bytes(("a", b"a")))), "itself a zip"
        yield f"{kind}: nested gzip", build(("inner.jpg", gzip.compress(b"a", mtime=0))), "itself a gzip"
        yield f"{kind}: nested tar", build(("inner.jpg", tar_bytes(("a", b"a")))), "itself a tar"
    yield from _tars()
    yield from _zips()


def _quiet(build: Callable[..., bytes], *members: tuple[str, bytes]) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says that a name comes twice
        return build(*members)


def _tars() -> Iterator[tuple[str, bytes, str]]:
    for title, (kind, reason) in _TAR_KINDS.items():
        yield f"tar: {title}", tar_bytes(("link", b""), type=kind, linkname="../outside.txt"), reason
    yield "tar: CVE-2025-4517", _long_link_chain(), "overrides linkpath"
    yield "tar: folder with content", tar_bytes(("a", b"bad"), type=tarfile.DIRTYPE), "with content"
    for key, value in (("size", "9"), ("linkpath", "/etc/passwd"), ("GNU.sparse.realsize", "9999999")):
        yield f"tar: pax {key}", tar_bytes(("a.jpg", b"good"), pax_headers={key: value}), f"overrides {key}"
    for value, reason in (("../outside.txt", "leads upwards"), ("/etc/passwd", "is absolute"), ("a\0b", "control")):
        yield f"tar: pax path {value!r}", tar_bytes(("a.jpg", b"x"), pax_headers={"path": value}), reason
    yield "tar: pax path of all", _extended(tarfile.XGLTYPE, b"19 path=all/a.jpg!\n"), "overrides path"
    yield "tar: GNU long name upwards", _extended(tarfile.GNUTYPE_LONGNAME, b"a/../../outside.txt\0"), "leads upwards"
    yield "tar: pax of a wrong length", _extended(tarfile.XHDTYPE, b"99 path=a.jpg\n"), "damaged extended header"
    yield "tar: pax without length", _extended(tarfile.XHDTYPE, b"path=a.jpg\n"), "damaged extended header"
    good = tar_bytes(("a.jpg", b"good" * 500))
    yield "tar: wrong checksum", good[:20] + b"x" + good[21:], "is damaged"
    yield "tar: cut within a file", good[:1500], "cut off within a file"
    yield "tar: cut before its end", good[:2560], "is cut off"
    yield "tar: another behind its end", good + good, "goes on behind its end"
    yield (
        "tar: negative size",
        good[:124] + b"\xff" * 12 + _checksum(good[:124] + b"\xff" * 12 + good[136:512]),
        "size -1",
    )
    yield "tar.gz: cut off", gzip.compress(good * 30, mtime=0)[:-20], "damaged gzip"
    packed = bytearray(gzip.compress(good, mtime=0))
    packed[-8] ^= 1
    yield "tar.gz: wrong crc", bytes(packed), "damaged gzip"
    yield "gzip of no tar", gzip.compress(b"emotion,pixels,Usage\n" * 100, mtime=0), "is not a tar file"


def _long_link_chain() -> bytes:
    """Links whose resolved path is too long to be checked, then a way up through them, as in CVE-2025-4517."""
    buffer = io.BytesIO()
    folder, path = "d" * 247, ""
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for letter in "abcdefghijklmnop":
            for name, kind, target in ((folder, tarfile.DIRTYPE, ""), (letter, tarfile.SYMTYPE, folder)):
                info = tarfile.TarInfo(f"{path}{name}")
                info.type, info.linkname = kind, target
                tar.addfile(info)
            path += f"{folder}/"
        info = tarfile.TarInfo(f"{'/'.join('abcdefghijklmnop')}/{'l' * 254}")
        info.type, info.linkname = tarfile.SYMTYPE, "../" * 16 + "outside"
        tar.addfile(info)
    return buffer.getvalue()


def _extended(kind: bytes, data: bytes) -> bytes:
    """Returns a tar that begins with an extended header."""
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, len(data)
    return header.tobuf(tarfile.USTAR_FORMAT) + data.ljust(512, b"\0") + tar_bytes(("a.jpg", b"good"))


def _checksum(header: bytes) -> bytes:
    """Returns what follows byte 136 of a tar header, with the right checksum."""
    total = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    return header[136:148] + f"{total:06o}\0 ".encode() + header[156:] + bytes(1024)


def _zips() -> Iterator[tuple[str, bytes, str]]:
    good = zip_bytes(("a.jpg", b"good" * 500), ("b.jpg", b"more" * 500), method=zipfile.ZIP_STORED)
    central = good.index(b"PK\x01\x02")
    second = good.index(b"PK\x01\x02", central + 4)
    end = good.index(b"PK\x05\x06")

    def changed(place: int, data: bytes) -> bytes:
        return good[:place] + data + good[place + len(data) :]

    for title, mode in (("symbolic link", 0o120777), ("device", 0o060666), ("pipe", 0o010666)):
        yield f"zip: {title}", changed(central + 38, struct.pack("<L", mode << 16)), "is a link or a device"
    yield "zip: encrypted", changed(central + 8, b"\x01"), "is encrypted"
    for method in (95, 14, 12, 9):
        yield f"zip: method {method}", changed(central + 10, bytes([method])), f"compressed by method {method}"
    yield "zip: another name in the header", good.replace(b"a.jpg", b"z.jpg", 1), "damaged zip file"
    yield "zip: another size in the header", changed(22, b"\x01\0\0\0"), "2,000 bytes in the directory and 1 in"
    yield "zip: another packed size in the header", changed(18, b"\x01\0\0\0"), "2,000 bytes in the directory and 1 in"
    yield "zip: wrong crc", good.replace(b"good", b"evil", 1), "damaged zip file"
    yield "zip: cut off", good[:-30], "no end record"
    yield "zip: no local header", changed(central + 42, b"\x07\0\0\0"), "has no local header"
    overlapping = changed(second + 42, good[central + 42 : central + 46])
    yield "zip: two entries, one content", overlapping.replace(b"b.jpg", b"a.jpg"), "overlaps another member"
    longer = changed(central + 20, struct.pack("<L", 5000))
    yield "zip: content up to the directory", longer[:18] + struct.pack("<L", 5000) + longer[22:], "overlaps|beyond"
    yield "zip: NUL in a name", good.replace(b"a.jpg", b"a\0.py"), "a control character"
    yield "zip: another count", changed(end + 8, struct.pack("<HH", 3, 3)), "claims 3 files and lists 2"
    yield (
        "zip: name that is no UTF-8",
        changed(central + 8, b"\0\x08").replace(b"a.jpg", b"\xff.jpg"),
        "damaged zip file",
    )
    yield "zip: a folder with content", good.replace(b"a.jpg", b"a.jp/"), "a folder with content"
    yield "zip: no name", _nameless(), "an empty part"


def _nameless() -> bytes:
    data = bytearray(zip_bytes(("a", b"")).replace(b"a", b""))
    central, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    data[26] = data[central + 28] = 0
    data[end + 12 : end + 20] = struct.pack("<LL", end - central, central)
    return bytes(data)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yields small archives that unpack to far more than they should."""
    zeros = bytes(64 * 2**20)
    yield "zip of zeros", zip_bytes(("a.jpg", zeros))
    yield "zip of many files of zeros", zip_bytes(*((f"{place}.jpg", zeros[: 2**22]) for place in range(16)))
    yield "tar.gz of zeros", gzip.compress(tar_bytes(("a.jpg", zeros)), mtime=0)
    yield "gzip twice", gzip.compress(gzip.compress(zeros, mtime=0), mtime=0)
    yield "zip in zip", zip_bytes(("a.zip", zip_bytes(("a.jpg", zeros))))
    yield "tar.gz in tar.gz", gzip.compress(tar_bytes(("a", gzip.compress(tar_bytes(("a", zeros)), mtime=0))), mtime=0)
    yield "zip in tar", tar_bytes(("a", zip_bytes(("a.jpg", zeros))))
    header = tarfile.TarInfo("a.jpg")
    header.size = 2**40
    yield "tar that claims a terabyte", header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    header.size, header.type = 2**30, tarfile.XHDTYPE
    yield "extended header of a gigabyte", header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    yield "the same, packed", gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + zeros, mtime=0)
    header.size, header.type = 2**30, tarfile.GNUTYPE_LONGNAME
    yield "long name of a gigabyte", gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + zeros, mtime=0)
    yield "zip of overlapping members", _overlapping(200)
    plain = zip_bytes(("a.jpg", zeros[: 2**24]))
    central = plain.index(b"PK\x01\x02")
    small = bytearray(plain)
    small[central + 24 : central + 28] = small[22:26] = struct.pack("<L", 100)
    yield "zip that claims to be small", bytes(small)
    many = bytearray(zip_bytes(("a.jpg", b"")))
    end = many.index(b"PK\x05\x06")
    many[end + 8 : end + 12] = struct.pack("<HH", 0xFFFE, 0xFFFE)
    yield "zip that claims 65,534 files", bytes(many)
    yield "tar.gz of a million folders", gzip.compress(tarfile.TarInfo("d" * 99).tobuf() * 150_000, mtime=0)


def _overlapping(count: int) -> bytes:
    """Returns a zip whose members quote the next one's header and share its content (Fifield, 2019)."""
    content = bytes(2**20)
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(content) + packer.flush()
    members = []
    for place in reversed(range(count)):
        name = f"{place}.jpg".encode()
        fields = (20, 0, 8, 0, 0, zlib.crc32(content), len(packed), len(content), len(name), 0)
        header = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + name
        members.append((fields, name, len(header) + len(packed)))
        body = header + packed
        packed = b"\0" + struct.pack("<HH", len(header), len(header) ^ 0xFFFF) + body  # a block that is stored
        content = header + content
    directory = b"".join(
        struct.pack("<4sH5H3L5H2L", b"PK\x01\x02", 20, *fields, 0, 0, 0, 0, len(body) - size) + name
        for fields, name, size in members
    )
    return body + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)

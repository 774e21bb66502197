"""Builds archives and addresses that nobody means well with, and the limits' bombs; the same bytes every time."""

from __future__ import annotations

import gzip
import io
import os
import socket
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

NAMES = {
    "absolute": "/etc/passwd", "upwards": "../outside.txt", "upwards within": "a/../../outside.txt", "only dots": "..",
    "empty part": "a//b", "drive": "C:/outside.txt", "backslash": "a\\..\\..\\outside.txt", "control": "a\x01b",
    "newline": "a\nb", "long part": "x" * 256, "long path": "/".join(["d" * 200] * 25), "dot part": "a/./b",
    "home": "~/../../outside.txt",
}  # fmt: skip
PAIRS = {
    "twice": ("a.jpg", "a.jpg"), "upper case": ("a.jpg", "A.JPG"), "Unicode forms": ("\u00e9.jpg", "e\u0301.jpg"),
    "file as folder": ("a", "a/b"), "folder as file": ("a/b", "a"), "sharp s": ("stra\u00dfe", "STRASSE"),
}  # fmt: skip
_TAR_KINDS = {
    "symbolic link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE, "pipe": tarfile.FIFOTYPE, "sparse file": tarfile.GNUTYPE_SPARSE,
    "contiguous file": tarfile.CONTTYPE, "unknown kind": b"Z", "GNU long link": tarfile.GNUTYPE_LONGLINK,
}  # fmt: skip


def tar_bytes(*members: tuple[str, bytes], **fields: object) -> bytes:
    """Returns a tar of files; `fields` are set on every header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Returns a zip of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def archives() -> Iterator[tuple[str, bytes]]:
    """Yields hostile archives with what is hostile about them."""
    builders: dict[str, Callable[..., bytes]] = {
        "zip": zip_bytes, "tar": tar_bytes, "tar.gz": lambda *members: gzip.compress(tar_bytes(*members), mtime=0)
    }  # fmt: skip
    for kind, build in builders.items():
        for title, name in NAMES.items():
            yield f"{kind}: {title}", build(("good.jpg", b"good"), (name, b"bad"))
        for title, (first, second) in PAIRS.items():
            yield f"{kind}: {title}", _quiet(build, (first, b"1"), (second, b"2"))
        yield f"{kind}: nested zip", build(("inner.jpg", zip_bytes(("a", b"a"))))
        yield f"{kind}: nested gzip", build(("inner.jpg", gzip.compress(b"a", mtime=0)))
    yield from _tars()
    yield from _zips()


def _quiet(build: Callable[..., bytes], *members: tuple[str, bytes]) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says that a name comes twice
        return build(*members)


def _tars() -> Iterator[tuple[str, bytes]]:
    for title, kind in _TAR_KINDS.items():
        yield f"tar: {title}", tar_bytes(("link", b""), type=kind, linkname="../outside.txt")
    # CVE-2025-4517: links whose resolved path is too long to be checked, then a way up through them.
    chain = "/".join(["d" * 240] * 16)
    yield "tar: CVE-2025-4517", tar_bytes((f"{chain[:150]}/link", b""), type=tarfile.SYMTYPE, linkname="../" * 30)
    for key, value in (("size", "9"), ("linkpath", "/etc/passwd"), ("GNU.sparse.realsize", "9999999")):
        yield f"tar: pax {key}", tar_bytes(("a.jpg", b"good"), pax_headers={key: value})
    yield "tar: pax path upwards", tar_bytes(("a.jpg", b"x"), pax_headers={"path": "../outside.txt"})
    good = tar_bytes(("a.jpg", b"good" * 500))
    yield "tar: wrong checksum", good[:20] + b"x" + good[21:]
    yield "tar: cut within a file", good[:1500]
    yield "tar: cut before its end", good[:2560]
    yield "tar: damaged pax", tar_bytes((NAMES["long path"], b"x")).replace(b" path=", b"#path=", 1)
    yield "tar.gz: cut off", gzip.compress(good * 30, mtime=0)[:-20]
    packed = bytearray(gzip.compress(good, mtime=0))
    packed[-8] ^= 1
    yield "tar.gz: wrong crc", bytes(packed)


def _zips() -> Iterator[tuple[str, bytes]]:
    good = zip_bytes(("a.jpg", b"good" * 500), ("b.jpg", b"more" * 500), method=zipfile.ZIP_STORED)
    central = good.index(b"PK\x01\x02")
    link = bytearray(good)
    link[central + 38 : central + 42] = struct.pack("<L", 0o120777 << 16)
    yield "zip: symbolic link", bytes(link)
    for title, offset, value in (("encrypted", 8, 1), ("unknown method", 10, 95), ("lzma", 10, 14)):
        changed = bytearray(good)
        changed[central + offset] = value
        yield f"zip: {title}", bytes(changed)
    yield "zip: another name in the header", good.replace(b"a.jpg", b"z.jpg", 1)
    yield "zip: another size in the header", good[:22] + b"\x01\0\0\0" + good[26:]
    yield "zip: wrong crc", good.replace(b"good", b"evil", 1)
    yield "zip: cut off", good[:-30]
    second = good.index(b"PK\x01\x02", central + 4)
    overlapping = bytearray(good)
    overlapping[second + 42 : second + 46] = good[central + 42 : central + 46]
    yield "zip: two entries, one content", bytes(overlapping).replace(b"b.jpg", b"a.jpg")


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
    """Returns a zip whose entries all point at one content (Fifield, 2019, in its simplest form)."""
    one = zip_bytes(("a.jpg", bytes(2**20)))
    central, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[central:end] * count
    return one[:central] + directory + struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), central, 0
    )  # fmt: skip


ADDRESSES = (
    "file:///etc/passwd", "file://localhost/etc", "FILE:///etc/passwd", "http://169.254.169.254/latest/meta-data",
    "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/", "http://metadata.google.internal/computeMetadata/v1/", "https://example.org/data.zip",
    "http://127.0.0.1:9/redirect?to=file:///etc/passwd", "http://localhost/", "http://0/", "ftp://127.0.0.1/data.zip",
    "s3://bucket/key", "gopher://127.0.0.1:70/", "dict://127.0.0.1:11211/", "data:application/zip;base64,UEsFBg==",
    "jar:file:///a.zip!/b", "\\\\server\\share", "//server/share", "gs://", "gs:///etc/passwd", "gs://user@bucket/a",
    "gs://bucket:80/a", "gs://BUCKET/a", "gs://b", "gs://../etc", "gs://bucket\n/a", "unix:///var/run/docker.sock",
    "/proc/self/environ\0.zip", "smb://server/share",
)  # fmt: skip


def folders(root: Path, outside: Path) -> Iterator[tuple[str, Path]]:
    """Writes folders whose entries lead out of them or are no files; yields what each tries."""
    for title, target in (
        ("link to a file", outside / "secret.jpg"), ("link to a folder", outside),
        ("relative link", Path("../../../outside")),
        ("link to the root", Path("/")), ("link into /proc", Path("/proc/self/environ")),
        ("link to nothing", root / "gone"),
    ):  # fmt: skip
        folder = root / title.replace(" ", "-").replace("/", "")
        (folder / "happy").mkdir(parents=True)
        (folder / "happy" / "a.jpg").symlink_to(target)
        yield title, folder
    pipe = root / "pipe"
    (pipe / "happy").mkdir(parents=True)
    os.mkfifo(pipe / "happy" / "a.jpg")
    yield "pipe", pipe
    chain = root / "chain"
    (chain / "happy").mkdir(parents=True)
    (chain / "happy" / "a.jpg").symlink_to("b.jpg")
    (chain / "happy" / "b.jpg").symlink_to(outside / "secret.jpg")
    yield "chain of links", chain
    bound = root / "socket"
    (bound / "happy").mkdir(parents=True)
    server = socket.socket(socket.AF_UNIX)
    previous = Path.cwd()
    os.chdir(bound / "happy")  # a socket's path is limited to 108 bytes
    server.bind("a.jpg")
    os.chdir(previous)
    server.close()
    yield "socket", bound

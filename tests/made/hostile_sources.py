"""Addresses that must not be opened, and folders that lead out of themselves."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

ADDRESSES = (
    "file:///etc/passwd",
    "file://localhost/etc",
    "FILE:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "https://example.org/data.zip",
    "http://127.0.0.1:9/redirect?to=file:///etc/passwd",
    "http://localhost/",
    "http://0/",
    "ftp://127.0.0.1/data.zip",
    "s3://bucket/key",
    "gopher://127.0.0.1:70/",
    "dict://127.0.0.1:11211/",
    "data:application/zip;base64,UEsFBg==",
    "jar:file:///a.zip!/b",
    "\\\\server\\share",
    "//server/share",
    "gs://",
    "gs:///etc/passwd",
    "gs://user@bucket/a",
    "gs://bucket:80/a",
    "gs://BUCKET/a",
    "gs://b",
    "gs://../etc",
    "gs://bucket\n/a",
    "gs://bucket/../other/a",
    "gs://bucket/a/./b",
    "gs://169.254.169.254/a",
    "gs://a..b/c",
    "gs://bucket?x=1",
    "unix:///var/run/docker.sock",
    "/proc/self/environ\0.zip",
    "smb://server/share",
    "/dev/zero",
)


def folders(root: Path, outside: Path) -> Iterator[tuple[str, Path]]:
    """Writes folders whose entries lead out of them or are no files.

    Args:
        root: where they go.
        outside: a folder beside `root` that holds secret.jpg.

    Yields:
        What each tries, and the folder.
    """
    targets = {
        "link to a file": outside / "secret.jpg",
        "link to a folder": outside,
        "relative link": Path("../../../outside/secret.jpg"),
        "link to the root": Path("/"),
        "link into /proc": Path("/proc/self/environ"),
        "link to an open file": Path("/proc/self/fd/0"),
        "link to nothing": root / "gone",
        "link to itself": Path("a.jpg"),
        "chain of links": Path("b.jpg"),
    }
    for title, target in targets.items():
        place = _happy(root / f"folder-{list(targets).index(title)}")
        (place / "a.jpg").symlink_to(target)
        if title == "chain of links":
            (place / "b.jpg").symlink_to(outside / "secret.jpg")
        yield title, place.parent
    os.mkfifo(_happy(root / "pipe") / "a.jpg")
    yield "pipe", root / "pipe"
    _bind(_happy(root / "socket"))
    yield "socket", root / "socket"


def _happy(folder: Path) -> Path:
    (folder / "happy").mkdir(parents=True)
    return folder / "happy"


def _bind(folder: Path) -> None:
    previous = Path.cwd()
    os.chdir(folder)  # a socket's path is limited to 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.jpg")
    os.chdir(previous)

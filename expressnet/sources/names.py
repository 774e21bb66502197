"""Which names a member of an archive or an object of a bucket may have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Bucket and prefix (https://cloud.google.com/storage/docs/buckets#naming).
# No name is an IP address, none has two dots in a row.
_BUCKET_URI = re.compile(r"^gs://(?![0-9.]+(?:/|$))((?![^/]*\.\.)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?$")
MAX_PART_BYTES = 255
MAX_PATH_BYTES = 4096


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Returns the bucket and the prefix, without slashes around it, that an address names.

    Raises:
        ValueError: it is no address of a bucket, or its prefix leads upwards.

    >>> bucket_and_prefix("gs://faces/rafdb/2024/")
    ('faces', 'rafdb/2024')
    """
    match = _BUCKET_URI.match(uri)
    if match is None or {".", ".."} & set(uri.split("/")):
        raise ValueError(f"Expected gs://bucket/prefix with a bucket's name in lower case; got {uri!r}.")
    return match[1], (match[2] or "").strip("/")


def shown(path: str) -> str:
    """Returns a path for messages; bytes that are no UTF-8 become question marks."""
    return path if path.isascii() else path.encode("utf-8", "replace").decode()


def without_files(folders: Iterable[str], holding: Iterable[str]) -> tuple[str, ...]:
    """Returns those folders that have no file below them, sorted.

    Args:
        folders: paths of all folders.
        holding: paths of the folders that hold a file themselves, with or without a slash at the end.
    """
    above = {path.rstrip("/") for path in holding}
    waiting = list(above)
    while waiting:
        parent = waiting.pop().rpartition("/")[0]
        if parent not in above:
            above.add(parent)
            waiting.append(parent)
    return tuple(sorted(set(folders) - above))


def safe(name: str, source: str) -> str:
    """Returns a member's path without a leading `./`.

    Args:
        name: as the source spells it, folders divided by slashes.
        source: for messages.

    Raises:
        ValueError: the name would lead out of a folder, or no file system takes it; the message says why.

    >>> safe("./train/happy/1.jpg", "faces.zip")
    'train/happy/1.jpg'
    >>> safe("../../.ssh/config", "faces.zip")
    Traceback (most recent call last):
    ValueError: faces.zip holds the name '../../.ssh/config', which leads upwards with '..'. It was not unpacked.
    """
    path = name
    while path.startswith("./"):
        path = path[2:]
    problem = _problem(path)
    if problem:
        raise ValueError(f"{source} holds the name {name[:120]!r}, which {problem}. It was not unpacked.")
    return path


def _problem(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path or path[1:2] == ":":
        return "has a backslash or a drive letter"
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        return "has a control character"
    if ".." in parts:
        return "leads upwards with '..'"
    if not all(part and part != "." for part in parts):
        return "has an empty part"
    if any(len(part.encode("utf-8", "surrogateescape")) > MAX_PART_BYTES for part in parts):
        return f"has a part of more than {MAX_PART_BYTES} bytes"
    if len(path.encode("utf-8", "surrogateescape")) > MAX_PATH_BYTES:
        return f"has more than {MAX_PATH_BYTES} bytes"
    return ""


class Taken:
    """The names seen so far; two that any file system would hold for one collide."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, path: str) -> None:
        """Takes the name of a file.

        Raises:
            ValueError: it is taken, up to case and Unicode form, or it is a folder of other files, or one of its
                folders is a file.
        """
        folded = _folded(path)
        self._require_free(path, self._files.get(folded) or self._folders.get(folded))
        self._add_folders(path, folded)
        self._files[folded] = path

    def add_folder(self, path: str) -> None:
        """Takes the name of a folder, which may come again.

        Raises:
            ValueError: it is the name of a file, or one of its folders is.
        """
        self._add_folders(path, _folded(path) + "/")

    def _add_folders(self, path: str, folded: str) -> None:
        parents = [folded[:place] for place, letter in enumerate(folded) if letter == "/"]
        for parent in parents:
            self._require_free(path, self._files.get(parent))
        self._folders.update(dict.fromkeys(parents, path))

    def _require_free(self, path: str, other: str | None) -> None:
        if other is not None:
            raise ValueError(
                f"{self._source} holds {path[:120]!r} beside {other[:120]!r}, which would be the same file on some "
                "systems. Was the archive made in two goes? Rename one of them."
            )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()

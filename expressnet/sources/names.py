"""Which names a member of an archive or an object of a bucket may have."""

from __future__ import annotations

import re
import unicodedata

# Bucket and prefix (https://cloud.google.com/storage/docs/buckets#naming).
BUCKET_URI = re.compile(r"^gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?$")
MAX_PART_BYTES = 255
MAX_PATH_BYTES = 4096


def safe(name: str, source: str) -> str:
    """Returns a member's path without a leading `./`.

    Args:
        name: as the source spells it, folders divided by slashes.
        source: for messages.

    Raises:
        ValueError: the name would lead out of a folder, or no file system takes it; the message says why.
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
        folded = unicodedata.normalize("NFC", path).casefold()
        parents = [folded[:place] for place, letter in enumerate(folded) if letter == "/"]
        other = self._files.get(folded) or self._folders.get(folded)
        other = other or next((self._files[parent] for parent in parents if parent in self._files), None)
        if other is not None:
            raise ValueError(
                f"{self._source} holds {path!r} beside {other!r}, which would be the same file on some systems. "
                "Was the archive made in two goes? Rename one of them."
            )
        self._files[folded] = path
        self._folders.update(dict.fromkeys(parents, path))

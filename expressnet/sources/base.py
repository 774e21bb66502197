"""What every source is turned into: a tree of files on this machine."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

_SYSTEM_NAMES = ("Thumbs.db", "desktop.ini", "__MACOSX")


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """One file of a source; picklable.

    Attributes:
        path: where it stands in the source, POSIX, relative; bytes that are no UTF-8 are shown as question marks.
        local: where its bytes lie on this machine.
        size: bytes.
        generation: of the object in a bucket, "" elsewhere.
    """

    path: str
    local: Path
    size: int
    generation: str = ""

    def read(self) -> bytes:
        """Returns all bytes."""
        return self.local.read_bytes()

    def read_range(self, offset: int, size: int) -> bytes:
        """Returns `size` bytes from `offset`, fewer at the end."""
        with self.local.open("rb") as file:
            file.seek(offset)
            return file.read(size)


@dataclasses.dataclass(frozen=True)
class Tree:
    """All files of a source.

    Attributes:
        uri: what the user named, for messages.
        files: sorted by path; hidden and system files are left out.
        num_ignored: how many those are.
        empty: folders that hold no file.
    """

    uri: str
    files: tuple[File, ...]
    num_ignored: int = 0
    empty: tuple[str, ...] = ()

    @functools.cached_property
    def by_path(self) -> Mapping[str, File]:
        """The files by their path."""
        return {file.path: file for file in self.files}

    def top(self) -> tuple[str, ...]:
        """Returns the names at the root, folders with a slash at the end; sorted."""
        return tuple(sorted({file.path.split("/")[0] + "/" * ("/" in file.path) for file in self.files}))

    def below(self, folder: str) -> Tree:
        """Returns the tree of one folder, its paths relative to it."""
        prefix = folder.rstrip("/") + "/"
        inside = (file for file in self.files if file.path.startswith(prefix))
        files = tuple(dataclasses.replace(file, path=file.path[len(prefix) :]) for file in inside)
        empty = tuple(path[len(prefix) :] for path in self.empty if path.startswith(prefix))
        return Tree(f"{self.uri.rstrip('/')}/{folder}", files, self.num_ignored, empty)


def is_system_name(path: str) -> bool:
    """Returns whether a path names the operating system's own (hidden, __MACOSX, Thumbs.db) and no part of the data."""
    return any(part.startswith(".") or part in _SYSTEM_NAMES for part in path.split("/"))


class Place(Protocol):
    """A source that was found but not yet read.

    Attributes:
        uri: what the user named.
        version: digest of what a bucket lists (names, generations, checksums); "" where only reading tells.
    """

    uri: str
    version: str

    def fetch(self) -> Tree:
        """Brings the files to this machine, going on where an interrupted call stopped."""
        ...

    def release(self) -> None:
        """Deletes what was fetched; the user's own files stay."""
        ...

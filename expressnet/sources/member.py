"""One file or folder within an archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Member(NamedTuple):
    """A file or a folder within an archive.

    Attributes:
        name: as the archive spells it; a folder's may end with a slash.
        size: bytes, as the archive claims.
        read: returns at most so many further bytes, none at the end.
        packed: bytes it takes in the archive, 0 where that is not known.
        is_folder: whether it is one; then there is nothing to read.
    """

    name: str
    size: int
    read: Callable[[int], bytes]
    packed: int = 0
    is_folder: bool = False


def folder(name: str) -> Member:
    """Returns a folder."""
    return Member(name, 0, lambda size: b"", is_folder=True)

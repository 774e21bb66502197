"""One file within an archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Member(NamedTuple):
    """A file within an archive.

    Attributes:
        name: as the archive spells it.
        size: bytes, as the archive claims.
        read: returns at most so many further bytes, none at the end.
        packed: bytes it takes in the archive, 0 where that is not known.
    """

    name: str
    size: int
    read: Callable[[int], bytes]
    packed: int = 0

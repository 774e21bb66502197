"""Which examples a workspace must never hold again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from expressnet.runtime import storage

FILE_NAME = "forgotten.txt"


def read(workspace: Path) -> frozenset[str]:
    """Returns the SHA-256 of the original bytes of every forgotten example."""
    path = workspace / FILE_NAME
    return frozenset(path.read_text().split()) if path.exists() else frozenset()


def add(workspace: Path, sha256s: Iterable[str]) -> None:
    """Adds examples.

    Raises:
        ValueError: one is no SHA-256; nothing is added then.
    """
    wanted = [sha256.strip().lower() for sha256 in sha256s]
    for sha256 in wanted:
        if not re.match(storage.SHA256_PATTERN, sha256):
            raise ValueError(
                f"An example is named by the SHA-256 of its file, 64 hexadecimal digits; got {sha256!r}. "
                "`sha256sum <file>` prints it, and the column sha256 of every manifest holds it."
            )
    with storage.lock(workspace / f"{FILE_NAME}.lock", wait=True):
        lines = sorted(read(workspace) | set(wanted))
        storage.write_bytes(workspace / FILE_NAME, ("\n".join(lines) + "\n").encode())

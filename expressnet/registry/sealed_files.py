"""Folders of files whose SHA-256 are written down once and checked before anything of them is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from expressnet.runtime import storage

FILE_NAME = "files.json"


class DamagedError(ValueError):
    """A stored file is not what it was when it was stored."""


def seal(folders: Mapping[str, Path]) -> dict[str, str]:
    """Returns the SHA-256 of every file of some folders, by `<name of the folder>/<path in it>`.

    Raises:
        FileNotFoundError: a folder is missing.
    """
    for folder in folders.values():
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} must be a folder of files to store; nothing is there.")
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": storage.file_sha256(path)
        for name, folder in sorted(folders.items())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(path: Path, digest: str) -> dict[str, str]:
    """Reads the list of a sealed folder's files.

    Raises:
        DamagedError: the list's own SHA-256 is not `digest`.
    """
    data = path.read_bytes()
    if storage.bytes_sha256(data) != digest:
        raise DamagedError(_message(path, f"the SHA-256 {digest}", storage.bytes_sha256(data)))
    return storage.read_json(path)


def require_unchanged(folder: Path, name: str, listed: Mapping[str, str]) -> None:
    """Checks that a folder holds the files that the list has under its name, and no other.

    Raises:
        DamagedError: a file was changed, is missing or was added; the message names it.
    """
    wanted = {path.removeprefix(f"{name}/"): digest for path, digest in listed.items() if path.startswith(f"{name}/")}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for path, digest in wanted.items():
        if path not in there:
            raise DamagedError(_message(folder / path, f"the SHA-256 {digest}", "no file"))
        if (found := storage.file_sha256(folder / path)) != digest:
            raise DamagedError(_message(folder / path, f"the SHA-256 {digest}", found))
    if added := sorted(there - set(wanted)):
        raise DamagedError(_message(folder / added[0], "no such file", "one"))


def _message(path: Path, wanted: str, found: str) -> str:
    return (
        f"{path} is not what was registered: expected {wanted}, found {found}. Nothing of it is used. Was the disk "
        "damaged, or the file edited, or `make forget` run since? Restore it from a backup, or train and register anew."
    )

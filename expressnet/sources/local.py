"""A folder or a file on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from expressnet.config.ingest import IngestConfig
from expressnet.sources.base import File, Tree, is_system_name


class LocalPlace:
    """A folder, or one file; see expressnet.sources.base.Place."""

    version = ""  # only reading tells whether it changed

    def __init__(self, path: Path, config: IngestConfig) -> None:
        self.uri, self._path, self._config = str(path), path, config

    def fetch(self) -> Tree:
        """Lists the files.

        Raises:
            ValueError: a link leads out of the folder, something is no regular file, or there are too many.
        """
        if self._path.is_file():
            return Tree(
                self.uri, (File(path=shown(self._path.name), local=self._path, size=self._path.stat().st_size),)
            )
        files, folders, num_ignored = [], [], 0
        for entry in _walk(self._path):
            path = shown(os.path.relpath(entry.path, self._path))
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
                continue
            if is_system_name(path):
                num_ignored += 1
                continue
            _require_inside(entry, self._path, path)
            files.append(File(path=path, local=Path(entry.path), size=entry.stat().st_size))
            if len(files) > self._config.max_files:
                raise ValueError(
                    f"{self.uri} holds more than {self._config.max_files:,} files; is it the right folder?"
                )
        holding = {parent for file in files for parent in Path(file.path).parents}
        empty = tuple(sorted(name for name in map(shown, folders) if Path(name) not in holding))
        return Tree(self.uri, tuple(sorted(files, key=lambda file: file.path)), num_ignored, empty)

    def release(self) -> None:
        """Does nothing: the files are the user's own."""


def shown(path: str) -> str:
    """Returns a path for messages; bytes that are no UTF-8 become question marks."""
    return path.encode("utf-8", "replace").decode()


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yields everything below a folder; does not follow links to folders."""
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry


def _require_inside(entry: os.DirEntry[str], root: Path, path: str) -> None:
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        if not target.is_relative_to(root.resolve()):
            raise ValueError(
                f"{path} in {root} is a link to {target}, outside the folder. Only files of the folder itself are "
                "read; copy them into it."
            )
    if not entry.is_file():
        raise ValueError(f"{path} in {root} is no regular file (a device, a socket, or a link to nothing or a folder).")

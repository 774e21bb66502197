"""A folder or a file on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from expressnet.config.ingest import IngestConfig
from expressnet.sources import names
from expressnet.sources.base import File, Tree, is_system_name


class LocalPlace:
    """A folder, or one file; see expressnet.sources.base.Place."""

    version = ""  # only reading tells whether it changed

    def __init__(self, path: Path, config: IngestConfig) -> None:
        self.uri, self._path, self._config = str(path), path, config

    def fetch(self) -> Tree:
        """Lists the files.

        Raises:
            ValueError: a link leads out of the folder, something is not a regular file, or there are too many.
        """
        if self._path.is_file():
            size = self._path.stat().st_size
            return Tree(self.uri, (File(path=names.shown(self._path.name), local=self._path, size=size),))
        root = self._path.resolve()
        files, num_ignored = [], 0
        folders, holding = set(), set()
        for folder, entry in _walk(self._path):
            path = folder + names.shown(entry.name)
            if is_system_name(path):
                num_ignored += not entry.is_dir(follow_symlinks=False)
            elif entry.is_dir(follow_symlinks=False):
                folders.add(path)
            else:
                self._require_own(entry, root, path)
                files.append(File(path=path, local=Path(entry.path), size=entry.stat().st_size))
                holding.add(folder)
            if len(files) > self._config.max_files:
                raise ValueError(
                    f"{self.uri} holds more than {self._config.max_files:,} files (max_files); is it the right folder?"
                )
        files.sort(key=lambda file: file.path)
        return Tree(self.uri, tuple(files), num_ignored, names.without_files(folders, holding))

    def release(self) -> None:
        """Does nothing: the files are the user's own."""

    def _require_own(self, entry: os.DirEntry[str], root: Path, path: str) -> None:
        is_file = not entry.is_symlink() and entry.is_file()
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))  # Path.resolve raises RuntimeError on a loop
            if not target.is_relative_to(root):
                raise ValueError(
                    f"{path} in {self.uri} is a link to {target}, outside the folder. Only files of the folder itself "
                    "are read; copy them into it."
                )
            is_file = target.is_file()
        if not is_file:
            raise ValueError(
                f"{path} in {self.uri} is not a regular file (a device, a socket, or a link to nothing or a folder)."
            )


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields everything below a folder with where it stands, "" or "a/b/"; does not follow links to folders."""
    waiting = [("", os.fspath(root))]
    while waiting:
        folder, place = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{folder}{names.shown(entry.name)}/", entry.path))
                yield folder, entry

"""Files that appear whole or not at all: atomic writes, committed folders, locks, compare-and-set.

Only local paths today; an object store joins behind the same functions (a generation precondition is
to gs:// what lock + rename is here).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL_SUFFIX = ".partial"
SHA256_PATTERN = "^[0-9a-f]{64}$"


class ConflictError(RuntimeError):
    """Somebody else changed the file between our read and our write."""


def bytes_sha256(data: bytes) -> str:
    """Returns the lower-case hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Returns the lower-case hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_digest(value: Any) -> str:
    """Returns the SHA-256 of a JSON value in canonical form (sorted keys, no blanks).

    >>> json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1})
    True
    """
    return bytes_sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _fsync_dir(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file so that a reader sees the old bytes or all of the new ones, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _fsync_dir(path.parent)


def write_json(path: str | Path, value: Any) -> None:
    """Writes JSON atomically; NaN and infinities are refused because JSON has no word for them."""
    write_bytes(Path(path), (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: str | Path) -> Any:
    """Reads one JSON file.

    Raises:
        ValueError: the file is no JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{path} is not valid JSON ({error}); was it edited or cut off?") from error


@contextlib.contextmanager
def committed_dir(out_dir: str | Path) -> Iterator[Path]:
    """Yields a temporary folder that becomes `out_dir` by one rename if the body succeeds.

    If the body raises, the temporary folder is removed and `out_dir` does not appear.

    Raises:
        FileExistsError: `out_dir` is already there and holds something.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     folder = Path(scratch) / "crops"
    ...     with committed_dir(folder) as partial:
    ...         write_json(partial / "crops.json", {"num_examples": 3})
    ...         print(folder.exists())
    ...     print(read_json(folder / "crops.json"))
    False
    {'num_examples': 3}
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and any(out_dir.iterdir()):
        raise FileExistsError(f"A stage writes a new folder, but {out_dir} already holds something.")
    partial = out_dir.with_name(out_dir.name + PARTIAL_SUFFIX)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.replace(out_dir)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _fsync_dir(out_dir.parent)


@contextlib.contextmanager
def removed_on_error(folder: Path) -> Iterator[None]:
    """Deletes `folder` if the body raises; what a kill leaves of it stays for the next run to go on with."""
    try:
        yield
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Holds an exclusive lock that the operating system releases even if we are killed.

    Raises:
        BlockingIOError: somebody else holds it and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def workspace_lock(workspace: Path, *, busy: Exception) -> Iterator[None]:
    """Keeps a workspace for one run, or for one that erases from it.

    Raises:
        Exception: `busy`, if somebody else has it.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock(workspace / ".run.lock", wait=False))
        except BlockingIOError as error:
            raise busy from error
        yield


def compare_and_set(path: Path, *, expected: dict | None, new: dict) -> None:
    """Replaces the JSON at `path` by `new` if it still says `expected` (None: there is no file).

    Raises:
        ConflictError: it says something else by now.
    """
    with lock(path.with_name(path.name + ".lock"), wait=True):
        current = read_json(path) if path.exists() else None
        if current != expected:
            raise ConflictError(
                f"{path} was changed by somebody else: expected {expected}, found {current}. Nothing was written; "
                "run the promotion again so that it compares with the new champion."
            )
        write_json(path, new)


def remove_partials(root: Path) -> int:
    """Deletes what killed stages left half-written below `root`; returns how many folders and files."""
    leftovers = list(root.rglob(f"*{PARTIAL_SUFFIX}"))
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)

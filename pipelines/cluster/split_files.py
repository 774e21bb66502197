"""`SPLIT_FILE` on a cluster: a file of this machine goes to the bucket under its digest and never changes there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from expressnet.data import split_file
from expressnet.runtime import storage
from pipelines.cluster import ClusterError
from pipelines.cluster.settings import Settings

_FOLDER = "split-files"  # in the bucket
_FIX = "set bucket: gs://... in expressnet.yaml, so that it is uploaded there"


def parameters(given: str, found: Settings, workspace: str, *, offline: bool) -> dict[str, str]:
    """Returns the pipeline's parameters `split_file` and `split_file_digest`; uploads nothing.

    Args:
        given: a file of this machine, gs://bucket/object, or a path below the workspace.
        found: names the bucket.
        workspace: where the steps mount their volume.
        offline: whether the digest of an object must stay unknown, "", because nobody may be asked.

    Raises:
        ClusterError: the file is not there, is no split, or no step could read it.
    """
    if given.startswith("gs://"):
        return {"split_file": given, "split_file_digest": "" if offline else _digest(given)}
    path = Path(given).expanduser().absolute()
    if path.is_relative_to(workspace) and not path.is_file():
        return {"split_file": str(path), "split_file_digest": ""}  # of a volume that is not mounted here
    digest = _digest(str(path))
    if path.is_relative_to(workspace):
        return {"split_file": str(path), "split_file_digest": digest}
    uri = found.under_bucket(f"{_FOLDER}/{digest}.csv")
    if not uri:
        raise ClusterError(
            f"SPLIT_FILE must be gs://..., or lie below {workspace}, the volume of the steps; got {path}, which is a "
            f"file of this machine that no node sees. Upload it, or {_FIX}."
        )
    return {"split_file": uri, "split_file_digest": digest}


def _digest(place: str) -> str:
    """Returns the SHA-256 of a split, which is read to its end: a node would find out only after an hour of cutting."""
    with _explained(), split_file.fetched(place) as path:
        split_file.read(path, place)
        return storage.file_sha256(path)


def upload(given: str, uri: str) -> bool:
    """Copies a file of this machine to where `parameters` says, unless it is there; returns whether it was copied.

    Raises:
        ClusterError: the bucket does not take it.
    """
    if not _is_uploaded(given, uri):
        return False
    from expressnet.sources import mirror  # google-cloud-storage takes a second to import

    with _explained():
        return mirror.put(Path(given).expanduser(), uri)


def notes(given: str, found: dict[str, str]) -> list[str]:
    """Returns what a submission does with the file that nobody could see otherwise.

    Args:
        given: as the user said it.
        found: the parameters.
    """
    uri, digest = found["split_file"], found["split_file_digest"]
    if _is_uploaded(given, uri):
        return [f"{given} is uploaded to {uri}, unless it is there"]
    if not digest and uri.startswith("gs://"):
        return [f"{uri} is read when the run is submitted, and its digest becomes split_file_digest"]
    if not digest:
        return [f"{uri} can't be read here: whoever changes it must give it another name, or the old split is reused"]
    return []


def _is_uploaded(given: str, uri: str) -> bool:
    return uri.startswith("gs://") and not given.startswith("gs://")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise ClusterError(str(error)) from error

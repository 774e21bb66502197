"""Copies of files in a bucket, for machines that vanish with their disks."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.retry import DEFAULT_RETRY

from expressnet.runtime import console, storage
from expressnet.sources import bucket, names

_TIMEOUT_S = 60.0
_RETRY = DEFAULT_RETRY.with_timeout(_TIMEOUT_S)
_FAILURES = (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError, requests.RequestException)


def fetch(uri: str, path: Path, *, max_bytes: int) -> Path:
    """Copies one object of a bucket to `path`.

    Raises:
        ValueError: the address is none of an object, or it is larger than `max_bytes`.
        ConnectionError: it can't be read.
    """
    name, key = names.bucket_and_prefix(uri)
    try:
        with contextlib.closing(bucket.client()) as client:
            blob = client.bucket(name).get_blob(key, timeout=_TIMEOUT_S, retry=_RETRY)
            if blob is None:
                raise ValueError(f"There is no object {uri}.")
            if blob.size > max_bytes:
                raise ValueError(f"{uri} has {blob.size:,} bytes; expected at most {max_bytes:,}. Is it the right one?")
            data = blob.download_as_bytes(checksum="crc32c", timeout=_TIMEOUT_S, retry=_RETRY)
    except _FAILURES as error:
        raise ConnectionError(f"{uri} can't be read ({error}).") from error
    storage.write_bytes(path, data)
    return path


def put(path: Path, uri: str) -> bool:
    """Copies a file to an object, unless there is one already; returns whether it was copied.

    Raises:
        ValueError: the address is none of an object.
        ConnectionError: the bucket did not take it.
    """
    name, key = names.bucket_and_prefix(uri)
    try:
        with contextlib.closing(bucket.client()) as client:
            client.bucket(name).blob(key).upload_from_filename(
                str(path), if_generation_match=0, checksum="crc32c", timeout=_TIMEOUT_S, retry=_RETRY
            )
    except exceptions.PreconditionFailed:
        return False  # it is there: also where an earlier try arrived, whose answer got lost
    except _FAILURES as error:
        raise ConnectionError(f"{uri.removesuffix(path.name)} did not take {path.name} ({error}).") from error
    return True


class Mirror:
    """Files below gs://bucket/prefix/key. Their names sort by age, and a name always has the same bytes."""

    def __init__(self, uri: str, key: str):
        """Names the place; nothing is opened yet.

        Raises:
            ValueError: the address is none of a bucket.
        """
        self._bucket, prefix = names.bucket_and_prefix(uri)
        self._prefix = f"{prefix.strip('/')}/{key}/".lstrip("/")
        self._uri = f"gs://{self._bucket}/{self._prefix}"

    def upload(self, path: Path) -> None:
        """Copies a file there, unless it is there already.

        Raises:
            ConnectionError: the bucket did not take it.
        """
        put(path, f"{self._uri}{path.name}")

    def keep(self, count: int) -> None:
        """Deletes all but the newest files.

        Raises:
            ConnectionError: the bucket can't be asked.
        """
        with contextlib.closing(bucket.client()) as client:
            for name in self._names(client)[:-count]:
                try:
                    client.bucket(self._bucket).blob(self._prefix + name).delete(timeout=_TIMEOUT_S, retry=_RETRY)
                except exceptions.NotFound:
                    continue
                except _FAILURES as error:
                    raise ConnectionError(f"{self._uri} did not delete {name} ({error}).") from error

    def fetch_newer(self, folder: Path, pattern: re.Pattern[str]) -> None:
        """Copies the newest file whose name has the pattern here if it is newer than all that lie in `folder`.

        Raises:
            ConnectionError: the bucket can't be asked, so that nobody knows whether there is something to go on from.
        """
        here = max((path.name for path in folder.glob("*") if pattern.fullmatch(path.name)), default="")
        with contextlib.closing(bucket.client()) as client:
            there = max(filter(pattern.fullmatch, self._names(client)), default="")
            if there <= here:
                return
            console.say(f"taking the checkpoint {there} from {self._uri}")
            try:
                blob = client.bucket(self._bucket).blob(self._prefix + there)
                data = blob.download_as_bytes(checksum="crc32c", timeout=_TIMEOUT_S, retry=_RETRY)
            except _FAILURES as error:
                raise ConnectionError(f"{self._uri}{there} can't be read ({error}).") from error
        storage.write_bytes(folder / there, data)

    def _names(self, client: bucket.gcs.Client) -> list[str]:
        try:
            blobs = client.list_blobs(self._bucket, prefix=self._prefix, timeout=_TIMEOUT_S, retry=_RETRY)
            return sorted(blob.name.removeprefix(self._prefix) for blob in blobs)
        except _FAILURES as error:
            raise ConnectionError(
                f"{self._uri} can't be listed ({error}). Are the bucket's name and your Google credentials right?"
            ) from error

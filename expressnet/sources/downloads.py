"""Downloads objects in parallel: resumed, verified, tried again, with an end."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import requests
import urllib3
from google.api_core import exceptions
from google.cloud import storage as gcs
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from expressnet.config.ingest import IngestConfig
from expressnet.runtime import storage

_CHUNK = 1 << 20
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 10.0
_TRANSIENT_CODES = (408, 429, 500, 502, 503, 504)
_CHANGED_CODES = (404, 412)
_PASSING = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    exceptions.GoogleAPICallError,
    InvalidResponse,
    DataCorruption,
    ConnectionError,
    TimeoutError,
)


class Object(NamedTuple):
    """One object at one generation; `crc32c` is base64 as the storage gives it."""

    name: str
    generation: int
    size: int
    crc32c: str


def place(folder: Path, one: Object) -> Path:
    """Returns where an object lies once it is whole; the name tells nothing and changes with the generation."""
    digest = storage.json_digest([one.name, one.generation])
    return folder / digest[:2] / digest


class _Corrupt(Exception):
    """All bytes are there, but they are not the object's."""


class Fetcher:
    """Fetches objects into a folder; what is whole there, by size and crc32c, is not fetched again."""

    def __init__(self, client: Callable[[], gcs.Client], bucket: str, folder: Path, config: IngestConfig) -> None:
        self._client, self._bucket, self._folder, self._config = client, bucket, folder, config
        self._local = threading.local()
        self._clients: list[gcs.Client] = []  # one a thread
        self._last_progress = time.monotonic()
        self._reached: dict[str, int] = {}  # most bytes of an object that were ever here
        self._stopped = threading.Event()
        self._last_failure = "no answer"
        self._num_done = 0

    def fetch(self, objects: list[Object]) -> Iterator[Object]:
        """Yields every object once it is whole, in the order in which they arrive.

        Raises:
            ValueError: an object changed or vanished.
            ConnectionError: nothing new arrived for `deadline_s`.
        """
        with ThreadPoolExecutor(self._config.num_transfers) as pool:
            waiting = [pool.submit(self._fetch_one, one, len(objects)) for one in objects]
            try:
                for future in as_completed(waiting):
                    yield future.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
            finally:
                for one in self._clients:
                    one.close()

    def _fetch_one(self, one: Object, num_objects: int) -> Object:
        path = place(self._folder, one)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(path.name + storage.PARTIAL_SUFFIX)
        attempt = 0
        while not (path.exists() and _is_whole(path, one)):
            try:
                self._continue(one, partial)
                partial.replace(path)
                break
            except _Corrupt as failure:
                partial.unlink(missing_ok=True)
                self._note(failure)
            except _PASSING as failure:
                self._require_same(one, failure)
                self._note(failure)
            self._require_time(num_objects)
            attempt += 1
            longest = min(_LONGEST_WAIT_S, self._config.stall_s, _FIRST_WAIT_S * 2**attempt)
            self._stopped.wait(random.uniform(0, longest))
        self._last_progress = time.monotonic()
        self._num_done += 1
        return one

    def _continue(self, one: Object, partial: Path) -> None:
        """Appends what is missing to the partial file and verifies all of it."""
        with partial.open("ab") as file:
            start = file.tell()
            if start < one.size:
                blob = self._bucket_of_thread().blob(one.name, generation=one.generation)
                try:
                    blob.download_to_file(
                        file,
                        start=start or None,
                        raw_download=True,
                        checksum=None,
                        retry=None,
                        timeout=self._config.stall_s,
                    )
                finally:
                    file.flush()
                    self._progressed(one, file.tell())
        if partial.stat().st_size < one.size:
            raise ConnectionError(f"{one.name} ended after {partial.stat().st_size:,} of {one.size:,} bytes")
        if not _is_whole(partial, one):
            raise _Corrupt(f"{one.name} arrived with a wrong crc32c")

    def _bucket_of_thread(self) -> gcs.Bucket:
        if not hasattr(self._local, "bucket"):
            self._clients.append(self._client())
            self._local.bucket = self._clients[-1].bucket(self._bucket)
        return self._local.bucket

    def _progressed(self, one: Object, reached: int) -> None:
        if reached > self._reached.get(one.name, 0):
            self._reached[one.name] = reached
            self._last_progress = time.monotonic()

    def _note(self, failure: Exception) -> None:
        self._last_failure = f"{type(failure).__name__}: {failure}"

    def _require_same(self, one: Object, failure: Exception) -> None:
        response = getattr(failure, "response", None)
        code = getattr(failure, "code", None) or getattr(response, "status_code", None)
        if code in _CHANGED_CODES:
            raise ValueError(
                f"gs://{self._bucket}/{one.name} changed or vanished since it was listed (generation "
                f"{one.generation}). Run again while nobody writes to the bucket, so that all objects are of one state."
            ) from failure
        if isinstance(code, int) and 400 <= code < 500 and code not in _TRANSIENT_CODES:
            raise ValueError(f"gs://{self._bucket}/{one.name} may not be read: {failure}") from failure

    def _require_time(self, num_objects: int) -> None:
        if self._stopped.is_set() or time.monotonic() - self._last_progress > self._config.deadline_s:
            raise ConnectionError(
                f"Nothing new arrived from gs://{self._bucket} for {self._config.deadline_s:g} s; {self._num_done:,} "
                f"of {num_objects:,} objects are here. The last failure: {self._last_failure[:300]}. The same command "
                "goes on from there."
            )


def _is_whole(path: Path, one: Object) -> bool:
    if path.stat().st_size != one.size:
        return False
    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode() == one.crc32c

"""Objects of a Google Cloud Storage bucket."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage as gcs
from google.cloud.storage.retry import DEFAULT_RETRY

from expressnet.config.ingest import IngestConfig
from expressnet.runtime import console, storage
from expressnet.sources import downloads, names
from expressnet.sources.base import File, Tree, is_system_name

_LIST_TIMEOUT_S = 30.0  # for one page of a thousand objects
_FIELDS = "items(name,generation,crc32c,size),nextPageToken"


class BucketPlace:
    """All objects below a prefix, or one object, at the generations that were listed."""

    def __init__(self, uri: str, spool_dir: Path, config: IngestConfig) -> None:
        """Lists the objects.

        Raises:
            ValueError: the address is none of a bucket, nothing is there, access is refused, or a name is unsafe.
            ConnectionError: the storage can't be reached.
        """
        self.uri, self._config = uri, config
        self._bucket, self._prefix = names.bucket_and_prefix(uri)
        self._objects, self._num_ignored = self._listed()
        self.version = storage.json_digest([list(one) for one in self._objects])
        self._folder = spool_dir / f"bucket-{self.version[:16]}"

    def fetch(self) -> Tree:
        """Downloads what is not here yet, several objects at a time.

        Raises:
            ValueError: an object changed or vanished since it was listed.
            ConnectionError: nothing arrived for `deadline_s`; what arrived before is kept for the next call.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with console.progress_bar(total=len(self._objects), unit=" objects") as bar:
            fetcher = downloads.Fetcher(client, self._bucket, self._folder, self._config)
            for _ in fetcher.fetch(self._objects):
                bar.update()
        files = [
            File(
                path=self._path(one.name),
                local=downloads.place(self._folder, one),
                size=one.size,
                generation=str(one.generation),
            )
            for one in self._objects
        ]
        return Tree(self.uri, tuple(sorted(files, key=lambda file: file.path)), self._num_ignored)

    def release(self) -> None:
        """Deletes what was downloaded."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> str:
        return name.rsplit("/", 1)[-1] if name == self._prefix else name[len(self._prefix) :].lstrip("/")

    def _listed(self) -> tuple[list[downloads.Object], int]:
        taken, found, num_ignored, num_bytes = names.Taken(self.uri), [], 0, 0
        for one in self._list():
            path = self._path(one.name)
            if path.endswith("/") or not path:  # the mark of an empty folder
                continue
            if is_system_name(path):
                num_ignored += 1
                continue
            taken.add(names.safe(path, self.uri))
            found.append(one)
            num_bytes += one.size
            if len(found) > self._config.max_files or num_bytes > self._config.max_bytes:
                raise ValueError(
                    f"{self.uri} holds more than {self._config.max_files:,} objects or "
                    f"{self._config.max_bytes:,} bytes (max_files, max_bytes). Is it the right prefix?"
                )
        if not found:
            raise ValueError(f"{self.uri} holds no object. Is the prefix spelled right, upper and lower case too?")
        return found, num_ignored

    def _list(self) -> Iterator[downloads.Object]:
        try:
            retry = DEFAULT_RETRY.with_timeout(self._config.deadline_s)
            timeout_s = min(_LIST_TIMEOUT_S, self._config.deadline_s)
            with contextlib.closing(client()) as reader:
                for blob in reader.list_blobs(
                    self._bucket, prefix=self._prefix, fields=_FIELDS, timeout=timeout_s, retry=retry
                ):
                    if not self._prefix or blob.name == self._prefix or blob.name.startswith(f"{self._prefix}/"):
                        yield downloads.Object(blob.name, int(blob.generation), int(blob.size), blob.crc32c)
        except exceptions.NotFound as error:
            raise ValueError(f"There is no bucket {self._bucket} ({error.message}).") from error
        except (exceptions.Forbidden, exceptions.Unauthorized) as error:
            raise ValueError(
                f"{self.uri} may not be read ({error.message}). Your account needs the role Storage Object Viewer."
            ) from error
        except GoogleAuthError as error:
            raise ValueError(
                f"{self.uri} can't be read without credentials ({error}). `gcloud auth application-default login` "
                "gets some."
            ) from error
        except (exceptions.GoogleAPIError, requests.RequestException) as error:
            raise ConnectionError(
                f"{self.uri} could not be listed within {self._config.deadline_s:g} s: {error}"
            ) from error


def client() -> gcs.Client:
    """Returns a client with the machine's own credentials, or none for an emulator (STORAGE_EMULATOR_HOST)."""
    # Objects are only read, for which the project does not matter; the library insists on one.
    credentials = AnonymousCredentials() if os.environ.get("STORAGE_EMULATOR_HOST") else None
    return gcs.Client(project="none", credentials=credentials)

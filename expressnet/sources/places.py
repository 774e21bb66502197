"""From the address of a source, DATA_URI, to the place that it names."""

from __future__ import annotations

import re
from pathlib import Path

from expressnet.config.ingest import IngestConfig
from expressnet.sources import archives, names
from expressnet.sources.base import Place
from expressnet.sources.local import LocalPlace

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_TAKEN = "Data is read from a local folder, a file, a .zip, a .tar, a .tar.gz or gs://bucket/prefix"


def locate(data_uri: str, spool_dir: Path, config: IngestConfig, *, variable: str = "DATA_URI") -> Place:
    """Finds a source; reads nothing of it but, of a bucket, the listing.

    Args:
        data_uri: a local path or gs://bucket/prefix. No other address is taken, so that nothing can be fetched from
            places that only this machine can reach.
        spool_dir: where the files of archives and buckets go until `release`.
        config: the limits.
        variable: what the user calls the address, for messages.

    Raises:
        ValueError: the address is of another kind, or the bucket refuses.
        FileNotFoundError: nothing is there.
        ConnectionError: the bucket can't be reached.
    """
    if any(ord(letter) < 32 for letter in data_uri):
        raise ValueError(f"{variable} holds a control character: {data_uri!r}. {_TAKEN}.")
    if data_uri.startswith("gs://"):
        names.bucket_and_prefix(data_uri)  # before google-cloud-storage is imported, which takes a second
        from expressnet.sources.bucket import BucketPlace

        return archives.Unpacking(BucketPlace(data_uri, spool_dir, config), spool_dir, config)
    if data_uri.startswith(("//", "\\\\")) or _SCHEME.match(data_uri):
        raise ValueError(f"{_TAKEN}; got {data_uri!r}.")
    path = Path(data_uri).expanduser().absolute()
    if not path.exists():
        raise FileNotFoundError(f"{variable} names {path}, but nothing is there. {_TAKEN}.")
    if not (path.is_dir() or path.is_file()):
        raise ValueError(f"{path} is neither a folder nor a regular file. {_TAKEN}.")
    return archives.Unpacking(LocalPlace(path, config), spool_dir, config)

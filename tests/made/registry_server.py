"""A real MLflow server on a real PostgreSQL, both on this machine, for drills and tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

_USER = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user
_START_S = 600.0  # on a busy machine; a quiet one takes 15


def programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, None where it is not installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    return max(found, default=Path(on_path).resolve().parent if on_path else None)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Starts both, with the server's files below `folder`; yields the server's address.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
        RuntimeError: one of them did not start; the message has its log.
    """
    place = programs()
    if place is None:
        raise FileNotFoundError(
            "PostgreSQL is required, but initdb was not found. On Debian: apt-get install postgresql"
        )
    with contextlib.ExitStack() as stack:
        # In a folder of its own, because the user that it runs as may not enter every other one.
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgresql-")))
        database = stack.enter_context(_database(place, data_dir))
        yield stack.enter_context(_server(database, folder / "mlflow"))


@contextlib.contextmanager
def _database(place: Path, folder: Path) -> Iterator[str]:
    user = {"user": _USER, "group": _USER, "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, _USER, _USER)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [place / "initdb", "-D", folder / "data", "-U", "mlflow", "--auth=trust", "-E", "UTF8"],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env=environment,
        **user,
    )
    port = _free_port()
    command = [place / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
    with _process(command, folder / "log.txt", lambda: _accepts(port), cwd=folder, env=environment, **user):
        yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def _server(database: str, folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        database,
        "--artifacts-destination",
        (folder / "artifacts").as_uri(),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    with _process(command, folder / "log.txt", lambda: _is_healthy(url), cwd=folder, env=environment):
        yield url


@contextlib.contextmanager
def _process(command: list, log_path: Path, is_ready: Callable[[], bool], **options) -> Iterator[None]:
    with log_path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, **options) as process:
        try:
            deadline = time.monotonic() + _START_S
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start within {_START_S:g} s: {log_path.read_text()}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False

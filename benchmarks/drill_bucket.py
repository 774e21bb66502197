"""Drills reading from a bucket: failures of every kind and rate, kills. `python -m benchmarks.drill_bucket`."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from expressnet.config.ingest import IngestConfig
from expressnet.sources.bucket import BucketPlace, client
from tests.made import object_store
from tests.made.faulty_proxy import FaultyProxy

BUCKET = "drill"
NUM_OBJECTS = 1000
STALL_S = 0.5

# Fetches, and kills itself with SIGKILL once so many bytes were written below the spool.
FETCH_UNTIL_KILLED = """
import os, signal, sys, threading
from pathlib import Path
from google.cloud.storage import Blob
from expressnet.config.ingest import IngestConfig
from expressnet.sources.bucket import BucketPlace

uri, spool, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
written, lock = 0, threading.Lock()
original = Blob.download_to_file

class Counting:
    def __init__(self, file):
        self._file = file

    def write(self, data):
        global written
        with lock:
            left = limit - written
            written += len(data)
        if len(data) >= left:
            self._file.write(data[:left])
            self._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

Blob.download_to_file = lambda self, file, **options: original(self, Counting(file), **options)
BucketPlace(uri, spool, IngestConfig(num_transfers=4)).fetch()
"""


def contents(count: int, max_bytes: int, seed: int) -> dict[str, bytes]:
    """Returns objects of random sizes, by name."""
    rng = random.Random(seed)
    return {f"set/{place % 7}/{place:05d}.jpg": rng.randbytes(rng.randrange(max_bytes)) for place in range(count)}


def upload(objects: dict[str, bytes], bucket_name: str) -> None:
    """Makes a bucket of objects."""
    with contextlib.closing(client()) as writer:
        writer.create_bucket(bucket_name)
    put(objects, bucket_name)


def put(objects: dict[str, bytes], bucket_name: str) -> None:
    """Writes objects, over what is there."""
    with contextlib.closing(client()) as writer:
        for name, data in objects.items():
            writer.bucket(bucket_name).blob(name).upload_from_string(data)


def count_right(place: BucketPlace, objects: dict[str, bytes]) -> int:
    """Fetches, and returns how many objects arrived with the right bytes under the right path."""
    tree = place.fetch()
    return sum(file.read() == objects.get(f"set/{file.path}") for file in tree.files)


def drill_failures(server_url: str, objects: dict[str, bytes]) -> bool:
    """Fetches everything at rising failure rates."""
    is_met = True
    for rate in (0.0, 0.1, 0.5, 0.9):
        with tempfile.TemporaryDirectory() as spool:
            proxy = FaultyProxy(server_url, rate, seed=1, stall_s=3 * STALL_S)
            os.environ["STORAGE_EMULATOR_HOST"] = proxy.url
            started = time.monotonic()
            place = BucketPlace(f"gs://{BUCKET}/set", Path(spool), IngestConfig(stall_s=STALL_S, deadline_s=60))
            right = count_right(place, objects)
            print(
                f"failure rate {rate:.0%}: {right} of {len(objects)} objects right, asked {len(objects)}; "
                f"{proxy.downloads.total()} requests, {time.monotonic() - started:.0f} s",
                flush=True,
            )
            proxy.close()
            is_met &= right == len(objects)
    return is_met


def drill_no_success(server_url: str) -> bool:
    """Expects a clear error within the deadline where every download fails for ever."""
    deadline_s = 4.0
    with tempfile.TemporaryDirectory() as spool:
        # The other faults leave half of what is missing, which is kept, so that they end after some tries.
        proxy = FaultyProxy(server_url, 1.0, seed=1, stall_s=3 * STALL_S, faults=("503", "flipped"))
        os.environ["STORAGE_EMULATOR_HOST"] = proxy.url
        place = BucketPlace(f"gs://{BUCKET}/set/0", Path(spool), IngestConfig(stall_s=STALL_S, deadline_s=deadline_s))
        started = time.monotonic()
        message = ""
        try:
            place.fetch()
        except ConnectionError as error:
            message = str(error)
        took = time.monotonic() - started
        proxy.close()
    print(
        f"failure rate 100%: {'error' if message else 'NO ERROR'} after {took:.1f} s, asked about {deadline_s:g} s: "
        f"{message[:120]}",
        flush=True,
    )
    return bool(message) and took < 3 * deadline_s


def drill_kills(server_url: str, num_kills: int) -> bool:
    """Kills a fetch at random byte offsets and completes it."""
    objects = contents(60, 200_000, seed=2)
    os.environ["STORAGE_EMULATOR_HOST"] = server_url
    upload(objects, "kills")
    total, rng = sum(map(len, objects.values())), random.Random(3)
    complete, most_again = 0, 0
    for _ in range(num_kills):
        with tempfile.TemporaryDirectory() as spool:
            proxy = FaultyProxy(server_url, 0.0, seed=1, stall_s=1)
            environment = {**os.environ, "STORAGE_EMULATOR_HOST": proxy.url}
            limit = rng.randrange(1, total)
            command = [sys.executable, "-c", FETCH_UNTIL_KILLED, "gs://kills/set", spool, str(limit)]
            killed = subprocess.run(command, env=environment, capture_output=True)
            assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
            os.environ["STORAGE_EMULATOR_HOST"] = proxy.url
            place = BucketPlace("gs://kills/set", Path(spool), IngestConfig(num_transfers=4))
            # Whole objects that were asked for again, and bytes beyond the objects' own.
            whole = {path.name for path in Path(spool).rglob("*") if path.is_file() and path.suffix != ".partial"}
            before = proxy.downloads.copy()
            complete += count_right(place, objects) == len(objects)
            asked = proxy.downloads - before
            again = len(whole) + asked.total() - len(objects)
            most_again = max(most_again, again)
            proxy.close()
    print(
        f"killed at random offsets: {complete} of {num_kills} reruns complete and identical; at most {most_again} "
        "whole objects fetched again, asked at most 1",
        flush=True,
    )
    return complete == num_kills and most_again <= 1


def main() -> int:
    """Runs all drills; returns 1 if a figure was missed."""
    objects = contents(NUM_OBJECTS, 8_000, seed=0)
    with object_store.running() as url:
        upload(objects, BUCKET)
        met = [drill_failures(url, objects), drill_no_success(url), drill_kills(url, 50)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

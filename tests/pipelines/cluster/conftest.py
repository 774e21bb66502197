"""A clean environment, the stand-in endpoint that it names, and an object store."""

import contextlib
import os

import pytest

from expressnet.sources import bucket
from pipelines import image_lock
from pipelines.cluster import client, confidential, runs
from tests.made import object_store
from tests.pipelines.cluster import stand_in


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """Nothing of the machine's own settings, and no waiting."""
    for name in [name for name in os.environ if name.startswith("EXPRESSNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALLOW_TAGS", "1")
    monkeypatch.setenv("EXPRESSNET_PROFILE", "cpu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image_lock, "LOCK", tmp_path / "images.lock.json")
    monkeypatch.setattr(client, "WAITS_S", (0.001, 0.001, 0.001))
    monkeypatch.setattr(runs, "POLL_S", 0.001)
    monkeypatch.setattr(confidential, "_remembered", set())


@pytest.fixture
def endpoint(monkeypatch):
    """A stand-in for Kubeflow Pipelines."""
    with stand_in.running() as found:
        monkeypatch.setenv("EXPRESSNET_HOST", found.url)
        yield found


@pytest.fixture(scope="module")
def store():
    """The URL of an object store with the bucket `faces`."""
    with object_store.running() as url:
        with contextlib.closing(bucket.client()) as client:
            client.create_bucket("faces")
        yield url

import re

import pytest

from expressnet.sources import bucket
from expressnet.sources.mirror import Mirror
from tests.made import object_store

PATTERN = re.compile(r"\d+\.bin")


@pytest.fixture
def uri(monkeypatch):
    """An address in a bucket of a server on this machine."""
    with object_store.running() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        client = bucket.client()
        client.create_bucket("trainings")
        client.close()
        yield "gs://trainings/checkpoints"


def _objects():
    client = bucket.client()
    found = {blob.name: blob.generation for blob in client.list_blobs("trainings")}
    client.close()
    return found


def _write(folder, number, text="x"):
    path = folder / f"{number}.bin"
    path.write_text(text)
    return path


def test_what_was_copied_comes_back_where_the_disk_is_gone(uri, tmp_path):
    mirror, fresh = Mirror(uri, "key"), tmp_path / "fresh"
    for number in (1, 2):
        mirror.upload(_write(tmp_path, number, f"state {number}"))
    mirror.fetch_newer(fresh, PATTERN)
    assert {path.name: path.read_text() for path in fresh.iterdir()} == {"2.bin": "state 2"}


def test_an_older_copy_and_a_foreign_name_are_left_there(uri, tmp_path):
    mirror = Mirror(uri, "key")
    mirror.upload(_write(tmp_path, 1))
    foreign = tmp_path / "zzz.txt"
    foreign.write_text("x")
    mirror.upload(foreign)
    newer = tmp_path / "newer"
    newer.mkdir()
    _write(newer, 2)
    mirror.fetch_newer(newer, PATTERN)
    assert [path.name for path in newer.iterdir()] == ["2.bin"]


def test_the_same_file_is_copied_once_and_the_oldest_go(uri, tmp_path):
    mirror = Mirror(uri, "key")
    for number in (1, 2, 3):
        mirror.upload(_write(tmp_path, number))
    before = _objects()
    mirror.upload(tmp_path / "3.bin")
    assert _objects() == before
    mirror.keep(2)
    assert sorted(_objects()) == ["checkpoints/key/2.bin", "checkpoints/key/3.bin"]


def test_trainings_do_not_see_each_other(uri, tmp_path):
    Mirror(uri, "one").upload(_write(tmp_path, 1))
    Mirror(uri, "two").fetch_newer(tmp_path / "fresh", PATTERN)
    assert not (tmp_path / "fresh").exists()


def test_a_bucket_that_is_not_there_is_an_error_before_anything_is_lost(uri, tmp_path):
    with pytest.raises(ConnectionError, match=r"gs://elsewhere/key/ can't be listed .*Are the bucket's name and"):
        Mirror("gs://elsewhere", "key").fetch_newer(tmp_path, PATTERN)
    with pytest.raises(ConnectionError, match=r"gs://elsewhere/key/ did not take 1\.bin"):
        Mirror("gs://elsewhere", "key").upload(_write(tmp_path, 1))


def test_what_is_no_bucket_is_refused():
    with pytest.raises(ValueError, match="Expected gs://bucket/prefix"):
        Mirror("s3://bucket", "key")

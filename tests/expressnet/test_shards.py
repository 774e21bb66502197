import io
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet import shards, storage

MIB = 2**20


def _records(payloads, extension="png"):
    by_sha256 = {storage.bytes_sha256(payload): payload for payload in payloads}
    return [(sha256, extension, by_sha256[sha256]) for sha256 in sorted(by_sha256)]


def _payloads(count):
    return [b"payload %d" % number for number in range(count)]


def _write(records, folder, digits=1):
    return dict(shards.write(records, folder / shards.FOLDER, digits=digits))


@given(st.sets(st.binary(max_size=1500), max_size=12), st.integers(1, 2))
def test_what_is_written_is_read_back_at_random(payloads, digits):
    with tempfile.TemporaryDirectory() as name:
        records = _records(payloads)
        places = _write(records, Path(name), digits)
        reader = shards.Reader(name)
        for sha256, _, payload in reversed(records):
            assert places[sha256].shard == f"{sha256[:digits]}.tar"
            assert reader.read(places[sha256]) == payload
        reader.close()


def test_a_finished_shard_tells_the_places_that_the_writer_told(tmp_path):
    places = _write(_records(_payloads(40)), tmp_path)
    found = {}
    for path in (tmp_path / shards.FOLDER).iterdir():
        found |= shards.locations(path)
    assert found == places


def test_any_tar_reader_reads_the_shards(tmp_path):
    records = _records(_payloads(20), "jpeg")
    _write(records, tmp_path)
    members = {}
    for path in (tmp_path / shards.FOLDER).iterdir():
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert names == sorted(names)
            members |= {name: tar.extractfile(name).read() for name in names}
    assert members == {f"{sha256}.jpeg": payload for sha256, _, payload in records}


def test_the_same_records_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        _write(_records(_payloads(30)), tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name / shards.FOLDER).iterdir()} for name in ("a", "b")
    )
    assert first == second


def test_new_records_move_no_old_one_to_another_shard(tmp_path):
    before = _write(_records(_payloads(30)), tmp_path / "a")
    after = _write(_records(_payloads(60)), tmp_path / "b")
    assert {sha256: place.shard for sha256, place in before.items()} == {
        sha256: after[sha256].shard for sha256 in before
    }


def test_a_shard_has_its_name_only_once_it_is_whole(tmp_path):
    records = [("a" + "0" * 63, "png", b"1"), ("a" + "1" * 63, "png", b"2"), ("b" + "0" * 63, "png", b"3")]
    writing = shards.write(records, tmp_path, digits=1)
    seen = [[path.name for path in sorted(tmp_path.iterdir())] for _ in writing]
    assert seen == [["a.tar.partial"], ["a.tar.partial"], ["a.tar", "b.tar.partial"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "b.tar"]


@pytest.mark.parametrize("order", [[1, 0], [0, 0]], ids=["unsorted", "the same twice"])
def test_records_that_are_not_sorted_are_refused(tmp_path, order):
    records = [("a" + str(number) * 63, "png", b"") for number in order]
    with pytest.raises(ValueError, match=f"sorted by sha256: {records[1][0]} came after {records[0][0]}"):
        _write(records, tmp_path)


@pytest.mark.parametrize(
    ("total_bytes", "digits"),
    [(0, 1), (16 * 128 * MIB, 1), (16 * 128 * MIB + 1, 2), (256 * 128 * MIB, 2), (256 * 128 * MIB + 1, 3)],
)
def test_a_shard_holds_half_of_its_limit_on_average_at_most(total_bytes, digits):
    assert shards.prefix_digits(total_bytes) == digits


def test_a_shard_that_was_cut_off_is_named(tmp_path):
    [(sha256, place)] = _write(_records([b"x" * 1000]), tmp_path).items()
    path = tmp_path / shards.FOLDER / place.shard
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OSError, match=rf"{place.shard} ends early: 1000 bytes wanted at 512, 488 there"):
        shards.Reader(tmp_path).read(place)


def test_a_missing_shard_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"0\.tar"):
        shards.Reader(tmp_path).read(shards.Location("0.tar", 512, 1))


def test_threads_may_share_a_reader(tmp_path):
    records = _records(_payloads(300))
    places = _write(records, tmp_path)
    reader = shards.Reader(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.read, [places[sha256] for sha256, _, _ in records]))
    assert found == [payload for _, _, payload in records]


def test_a_closed_reader_opens_its_shards_again(tmp_path):
    [(_, place)] = _write(_records([b"payload"]), tmp_path).items()
    reader = shards.Reader(tmp_path)
    reader.read(place)
    reader.close()
    assert reader.read(place) == b"payload"


def test_a_shard_is_a_plain_uncompressed_tar(tmp_path):
    [(_, place)] = _write(_records([b"payload"]), tmp_path).items()
    data = (tmp_path / shards.FOLDER / place.shard).read_bytes()
    assert data[place.offset : place.offset + place.size] == b"payload"
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        assert len(tar.getnames()) == 1

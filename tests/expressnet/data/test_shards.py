import io
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet.data import shards
from expressnet.runtime import storage

MIB = 2**20


def _by_sha256(payloads):
    return {storage.bytes_sha256(payload): payload for payload in payloads}


def _payloads(count, start=0):
    return _by_sha256(b"payload %d" % number for number in range(start, start + count))


def _maker(payloads, extension, fail_after):
    """Returns what makes the payloads, and the list of the keys that it made."""
    made = []

    def make(keys):
        for key in keys:
            if len(made) == fail_after:
                raise KeyboardInterrupt("as a user does")
            made.append(key)
            yield shards.Payload(key, extension, payloads[key], {"length": len(payloads[key])})

    return make, made


def _fill(payloads, folder, bytes_each=10.0, earlier=(), extension="png", fail_after=None):
    """Fills `folder`/shards; `made` of the result lists what had to be made."""
    make, made = _maker(payloads, extension, fail_after)
    places = shards.fill(
        folder / shards.FOLDER,
        set(payloads),
        make,
        bytes_each=bytes_each,
        earlier=[other / shards.FOLDER for other in earlier],
    )
    return places, made


def _files(folder):
    return {path.name: path.read_bytes() for path in (folder / shards.FOLDER).iterdir()}


@given(st.sets(st.binary(max_size=1500), max_size=12), st.sampled_from([10.0, 100.0 * MIB]))
def test_what_is_written_is_read_back_at_random(payloads, bytes_each):
    with tempfile.TemporaryDirectory() as name:
        payloads = _by_sha256(payloads)
        places, _ = _fill(payloads, Path(name), bytes_each) if payloads else ([], [])
        reader = shards.Reader(name)
        if payloads:
            assert list(places["sha256"]) == sorted(payloads)
            assert list(places["length"]) == [len(payloads[key]) for key in places["sha256"]]
            for sha256, place in zip(places["sha256"], shards.locate(places), strict=True):
                assert reader.read(place) == payloads[sha256]
        reader.close()


def test_any_tar_reader_reads_the_shards(tmp_path):
    payloads = _payloads(20)
    _fill(payloads, tmp_path, bytes_each=100 * MIB, extension="jpeg")
    members = {}
    for path in (tmp_path / shards.FOLDER).glob("*.tar"):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert names == sorted(names)
            members |= {name: tar.extractfile(name).read() for name in names}
    assert members == {f"{sha256}.jpeg": payload for sha256, payload in payloads.items()}


def test_the_same_records_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        _fill(_payloads(30), tmp_path / name)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_a_data_set_that_grew_rewrites_no_shard(tmp_path):
    old, more = _payloads(400), _payloads(4, start=400)
    _fill(old, tmp_path / "a", bytes_each=5 * MIB)
    places, made = _fill(old | more, tmp_path / "b", bytes_each=5 * MIB, earlier=[tmp_path / "a"])
    assert set(made) == set(more)
    before, after = _files(tmp_path / "a"), _files(tmp_path / "b")
    assert len(before) == 2 * 16  # 2 GiB of payload as far as the plan knows; a tar and an index each
    assert {name: after[name] for name in before} == before
    assert len(after) - len(before) == 2
    reader = shards.Reader(tmp_path / "b")
    assert [reader.read(place) for place in shards.locate(places)] == [(old | more)[key] for key in places["sha256"]]


def test_a_shard_with_a_record_that_is_gone_is_not_taken_over(tmp_path):
    old = _payloads(40)
    _fill(old, tmp_path / "a", bytes_each=20 * MIB)
    gone = next(key for key in sorted(old) if sum(other[0] == key[0] for other in old) > 1)
    rest = {key: payload for key, payload in old.items() if key != gone}
    _, made = _fill(rest, tmp_path / "b", bytes_each=20 * MIB, earlier=[tmp_path / "a"])
    assert 0 < len(made) < len(rest)
    assert not any(old[gone] + b"\x00" in data for data in _files(tmp_path / "b").values())


def test_too_many_small_shards_are_written_anew(tmp_path):
    payloads, earlier = {}, []
    for number in range(21):
        added = _payloads(2, start=2 * number)
        _fill(added, tmp_path / str(number))
        payloads, earlier = payloads | added, [*earlier, tmp_path / str(number)]
    places, made = _fill(payloads, tmp_path / "all", earlier=earlier)
    assert set(made) == set(payloads)
    assert places["shard"].nunique() == 1


def test_an_interrupted_call_is_completed_and_nothing_whole_is_made_again(tmp_path):
    payloads = _payloads(60)
    _fill(payloads, tmp_path / "unbroken", bytes_each=10 * MIB)
    with pytest.raises(KeyboardInterrupt, match="as a user does"):
        _fill(payloads, tmp_path / "broken", bytes_each=10 * MIB, fail_after=30)
    whole = {
        key
        for path in (tmp_path / "broken/shards").glob("*.tar")
        for key in shards.index(path.parent, path.name)["sha256"]
    }
    _, made = _fill(payloads, tmp_path / "broken", bytes_each=10 * MIB)
    assert len(whole) > 0
    assert not whole & set(made)
    assert _files(tmp_path / "broken") == _files(tmp_path / "unbroken")


def _fill_part(payloads, folder, part, num_parts, bytes_each=10 * MIB, fail_after=None):
    make, made = _maker(payloads, "png", fail_after)
    count = shards.fill_part(
        folder / shards.FOLDER, set(payloads), make, bytes_each=bytes_each, part=part, num_parts=num_parts
    )
    return count, made


def test_parts_in_any_order_write_what_one_call_writes(tmp_path):
    payloads = _payloads(60)
    _fill(payloads, tmp_path / "alone", bytes_each=10 * MIB)
    made = [_fill_part(payloads, tmp_path / "shared", part, 3) for part in (2, 0, 1)]
    assert sum(count for count, _ in made) == 60
    assert sorted(key for _, keys in made for key in keys) == sorted(payloads)
    _, made_again = _fill(payloads, tmp_path / "shared", bytes_each=10 * MIB)
    assert made_again == []
    assert _files(tmp_path / "shared") == _files(tmp_path / "alone")


def test_more_parts_than_shards_leave_some_with_nothing_to_do(tmp_path):
    payloads = _payloads(60)
    counts = [_fill_part(payloads, tmp_path, part, 20)[0] for part in range(20)]
    assert sum(counts) == 60
    assert counts[16:] == [0, 0, 0, 0]  # there are 16 shards


def test_an_interrupted_part_leaves_the_others_alone_and_goes_on_after_its_last_whole_shard(tmp_path):
    payloads = _payloads(60)
    _fill_part(payloads, tmp_path, 0, 2)
    others = _files(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="as a user does"):
        _fill_part(payloads, tmp_path, 1, 2, fail_after=15)
    assert others.items() <= _files(tmp_path).items()
    assert not list(tmp_path.rglob("*.partial"))
    num_left = sum(len(shards.index(path.parent, path.name)) for path in tmp_path.rglob("*.tar"))
    count, made = _fill_part(payloads, tmp_path, 1, 2)
    assert count > len(made) == 60 - num_left


def test_the_same_part_twice_at_the_same_time_gives_whole_shards(tmp_path):
    """As when a node is given up for lost and its pod goes on while another one takes over."""
    payloads = _payloads(60)
    _fill(payloads, tmp_path / "alone", bytes_each=10 * MIB)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _fill_part(payloads, tmp_path / "shared", 0, 1), range(4)))
    assert _files(tmp_path / "shared") == _files(tmp_path / "alone")


@pytest.mark.parametrize(
    ("bytes_each", "num_shards"), [(0, 1), (128 * MIB / 256, 1), (128 * MIB / 256 + 1, 16), (8 * MIB, 16)]
)
def test_a_shard_holds_half_of_its_limit_on_average_at_most(tmp_path, bytes_each, num_shards):
    keys = {f"{number:02x}".ljust(64, "0"): b"" for number in range(256)}
    places, _ = _fill(keys, tmp_path, bytes_each=bytes_each)
    assert places["shard"].nunique() == num_shards


def test_a_shard_that_was_cut_off_is_named(tmp_path):
    places, _ = _fill(_by_sha256([b"x" * 1000]), tmp_path)
    [place] = shards.locate(places)
    path = tmp_path / shards.FOLDER / place.shard
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OSError, match=rf"{place.shard} ends early: 1000 bytes wanted at 512, 488 there"):
        shards.Reader(tmp_path).read(place)


def test_a_missing_shard_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"0\.tar"):
        shards.Reader(tmp_path).read(shards.Location("0.tar", 512, 1))


def test_threads_may_share_a_reader(tmp_path):
    payloads = _payloads(300)
    places, _ = _fill(payloads, tmp_path)
    reader = shards.Reader(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.read, shards.locate(places)))
    assert found == [payloads[key] for key in places["sha256"]]


def test_a_closed_reader_opens_its_shards_again(tmp_path):
    places, _ = _fill(_by_sha256([b"payload"]), tmp_path)
    [place] = shards.locate(places)
    reader = shards.Reader(tmp_path)
    reader.read(place)
    reader.close()
    assert reader.read(place) == b"payload"


def test_a_shard_is_a_plain_uncompressed_tar(tmp_path):
    places, _ = _fill(_by_sha256([b"payload"]), tmp_path)
    [place] = shards.locate(places)
    data = (tmp_path / shards.FOLDER / place.shard).read_bytes()
    assert data[place.offset : place.offset + place.size] == b"payload"
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        assert len(tar.getnames()) == 1

import math
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from expressnet.runtime import storage

HOLD_THE_LOCK = """
import signal, sys
from pathlib import Path
from expressnet.runtime import storage

with storage.lock(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    signal.pause()
"""


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_digests_are_those_of_sha256sum(tmp_path):
    (tmp_path / "empty").touch()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert storage.bytes_sha256(b"") == storage.file_sha256(tmp_path / "empty") == empty
    braces = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert storage.json_digest({}) == storage.bytes_sha256(b"{}") == braces


def test_the_order_of_the_keys_does_not_change_a_json_digest_but_that_of_a_list_does():
    assert storage.json_digest({"a": 1, "b": [1, 2]}) == storage.json_digest({"b": [1, 2], "a": 1})
    assert storage.json_digest([1, 2]) != storage.json_digest([2, 1])


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    storage.write_bytes(path, b"old")
    storage.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["new", "new/folder", "new/folder/file"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    storage.write_bytes(tmp_path / "file", b"old")
    with pytest.raises(TypeError, match="bytes-like object is required"):
        storage.write_bytes(tmp_path / "file", "no bytes")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert _names(tmp_path) == ["file"]


def test_threads_that_write_one_file_leave_a_whole_version(tmp_path):
    versions = [bytes([number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(len(versions)) as pool:
        for _ in range(5):
            list(pool.map(storage.write_bytes, [tmp_path / "file"] * len(versions), versions))
            assert (tmp_path / "file").read_bytes() in versions


def test_json_comes_back_as_it_was(tmp_path):
    value = {"classes": ["happy"], "rate": 0.5, "none": None, "name": "Zoë"}
    storage.write_json(tmp_path / "a.json", value)
    assert storage.read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_json_has_no_word_for_nan_and_infinity(tmp_path, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "a.json", {"loss": number})
    assert _names(tmp_path) == []


def test_json_that_was_cut_off_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"classes": ["hap')
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON .*cut off\?"):
        storage.read_json(tmp_path / "a.json")


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with storage.committed_dir(tmp_path / "out") as partial:
        (partial / "one").write_text("1")
        assert not (tmp_path / "out").exists()
    assert _names(tmp_path) == ["out", "out/one"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_stage_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error, match="in the middle"), storage.committed_dir(tmp_path / "out") as partial:
        (partial / "one").write_text("1")
        raise error("in the middle")
    assert _names(tmp_path) == []


def test_a_full_target_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with (
        pytest.raises(FileExistsError, match="out already holds something"),
        storage.committed_dir(tmp_path / "out"),
    ):
        pytest.fail("the body must not run")
    assert _names(tmp_path) == ["out", "out/mine"]


def test_an_empty_target_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with storage.committed_dir(str(tmp_path / "out")) as partial:
        (partial / "one").write_text("1")
    assert _names(tmp_path) == ["out", "out/one"]


def test_what_a_killed_stage_left_is_not_mixed_into_the_next_ones_output(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "stale").write_text("from the killed run")
    with storage.committed_dir(tmp_path / "out") as partial:
        (partial / "fresh").write_text("1")
    assert _names(tmp_path) == ["out", "out/fresh"]


def test_a_lock_keeps_a_second_holder_out_until_it_is_released(tmp_path):
    path = tmp_path / "deep" / "a.lock"
    with storage.lock(path, wait=False):
        with pytest.raises(BlockingIOError, match="unavailable"), storage.lock(path, wait=False):
            pytest.fail("the body must not run")
    with storage.lock(path, wait=False):
        pass


def test_a_killed_holder_releases_the_lock(tmp_path):
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="unavailable"), storage.lock(tmp_path / "a.lock", wait=False):
            pytest.fail("the body must not run")
        holder.kill()
    with storage.lock(tmp_path / "a.lock", wait=False):
        pass


def test_one_waits_for_the_other(tmp_path):
    order = []

    def second():
        with storage.lock(tmp_path / "a.lock", wait=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with storage.lock(tmp_path / "a.lock", wait=True):
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_expected_value_is_replaced(tmp_path):
    path = tmp_path / "champion.json"
    storage.compare_and_set(path, expected=None, new={"model": "a"})
    storage.compare_and_set(path, expected={"model": "a"}, new={"model": "b"})
    assert storage.read_json(path) == {"model": "b"}


@pytest.mark.parametrize("expected", [None, {"model": "b"}, {}])
def test_another_value_is_a_conflict_and_nothing_is_written(tmp_path, expected):
    path = tmp_path / "champion.json"
    storage.write_json(path, {"model": "a"})
    with pytest.raises(storage.ConflictError, match="found {'model': 'a'}. Nothing was written"):
        storage.compare_and_set(path, expected=expected, new={"model": "c"})
    assert storage.read_json(path) == {"model": "a"}


def test_a_missing_file_is_a_conflict_for_who_expects_one(tmp_path):
    with pytest.raises(storage.ConflictError, match="expected {'model': 'a'}, found None"):
        storage.compare_and_set(tmp_path / "champion.json", expected={"model": "a"}, new={"model": "b"})
    assert not (tmp_path / "champion.json").exists()


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_one_of_eight_racers_wins_each_generation(tmp_path, kind):
    pool = (
        ThreadPoolExecutor(8)
        if kind == "threads"
        else ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn"))
    )
    path, current = tmp_path / "champion.json", None
    with pool:
        for generation in range(10):
            entries = [{"generation": generation, "by": racer} for racer in range(8)]
            races = [pool.submit(storage.compare_and_set, path, expected=current, new=entry) for entry in entries]
            errors = [race.exception() for race in races]
            winners = [entry for entry, error in zip(entries, errors, strict=True) if error is None]
            assert len(winners) == 1
            assert sum(isinstance(error, storage.ConflictError) for error in errors) == 7
            assert storage.read_json(path) == winners[0]
            current = winners[0]


def test_what_killed_stages_left_is_removed_and_counted_and_nothing_else(tmp_path):
    (tmp_path / "a.partial" / "shards").mkdir(parents=True)
    (tmp_path / "a.partial" / "shards" / "0.tar").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".file.7.partial").touch()
    (tmp_path / "b" / "file").touch()
    assert storage.remove_partials(tmp_path) == 2
    assert _names(tmp_path) == ["b", "b/file"]
    assert storage.remove_partials(tmp_path) == 0

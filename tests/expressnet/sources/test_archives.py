import gzip
import shutil
import struct
import zipfile
import zlib

import pytest

from benchmarks import drill_archives
from expressnet.config.ingest import IngestConfig
from expressnet.runtime import storage
from expressnet.sources import places
from tests.made import clean_archives, hostile_archives

ARCHIVES = {title: (data, reason) for title, data, reason in hostile_archives.archives()}
BOMBS = dict(hostile_archives.bombs())


def _fetch(path, spool, **limits):
    return places.locate(str(path), spool, IngestConfig(**limits)).fetch()


def _below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_clean_archives_give_the_tree_of_their_folder(tmp_path):
    twin = clean_archives.write(tmp_path / "twin")
    expected = drill_archives.content(str(twin), tmp_path / "spool")
    assert expected[1] == ("angry", "angry/none")
    for title, data in clean_archives.packed(twin):
        (tmp_path / "archive").write_bytes(data)
        assert drill_archives.content(str(tmp_path / "archive"), tmp_path / "spool") == expected, title


def test_releasing_deletes_what_was_unpacked_and_nothing_else(tmp_path):
    (tmp_path / "a.zip").write_bytes(hostile_archives.zip_bytes(("a.jpg", b"a")))
    place = places.locate(str(tmp_path / "a.zip"), tmp_path / "spool", IngestConfig())
    place.fetch()
    place.release()
    assert _below(tmp_path) == ["a.zip", "spool"]


def test_the_systems_own_files_are_passed_over_and_counted(tmp_path):
    members = [("a.jpg", b"a"), ("__MACOSX/a.jpg", b"junk"), ("x/.DS_Store", b"junk")]
    (tmp_path / "a.zip").write_bytes(hostile_archives.zip_bytes(*members))
    tree = _fetch(tmp_path / "a.zip", tmp_path / "spool")
    assert ([file.path for file in tree.files], tree.num_ignored) == (["a.jpg"], 2)


def test_there_are_at_least_sixty_hostile_archives():
    assert len(ARCHIVES) >= 60


@pytest.mark.parametrize("title", ARCHIVES)
def test_a_hostile_archive_is_refused_for_its_reason_and_nothing_of_it_is_left(tmp_path, title):
    data, reason = ARCHIVES[title]
    path = tmp_path / "inner" / "archive"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        _fetch(path, tmp_path / "inner" / "spool")
    assert [name for name in _below(tmp_path) if name not in ("inner", "inner/archive", "inner/spool")] == []


@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_is_refused_with_little_work_and_memory(tmp_path, title):
    (tmp_path / "bomb").write_bytes(BOMBS[title])
    seconds, mebibytes, reason = drill_archives.measure(tmp_path / "bomb", tmp_path / "spool")
    assert "bomb" in reason
    assert seconds < 1
    assert mebibytes < 256
    assert _below(tmp_path) in (["bomb"], ["bomb", "spool"])


def test_the_members_of_the_overlapping_bomb_would_all_be_sound(tmp_path):
    (tmp_path / "bomb.zip").write_bytes(BOMBS["zip of overlapping members"])
    data = (tmp_path / "bomb.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "bomb.zip") as archive:
        for entry in archive.infolist():  # not `testzip`, which refuses overlapping members itself in newer Pythons
            name_bytes, extra_bytes = struct.unpack_from("<HH", data, entry.header_offset + 26)
            start = entry.header_offset + 30 + name_bytes + extra_bytes
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start : start + entry.compress_size])
            assert (len(content), zlib.crc32(content)) == (entry.file_size, entry.CRC)
        assert sum(entry.file_size for entry in archive.infolist()) > 10_000 * (tmp_path / "bomb.zip").stat().st_size


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_files": 2}, r"more than 2 files|holds 3 files"),
        ({"max_bytes": 999}, r"more than 999 bytes \(max_bytes\)"),
    ],
    ids=["files", "bytes"],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_the_limits_count_what_comes_out_of_an_archive(tmp_path, kind, limits, reason):
    build = {"zip": hostile_archives.zip_bytes, "tar": hostile_archives.tar_bytes}[kind]
    (tmp_path / "archive").write_bytes(build(("a", b"1" * 500), ("b", b"2" * 400), ("c", b"3" * 100)))
    assert len(_fetch(tmp_path / "archive", tmp_path / "spool", max_files=3, max_bytes=1000).files) == 3
    with pytest.raises(ValueError, match=reason):
        _fetch(tmp_path / "archive", tmp_path / "spool", **limits)


def test_a_zip64_record_that_the_plain_one_hides_is_counted(tmp_path):
    data = hostile_archives.zip_bytes(("a.jpg", b"a"))
    place = data.index(b"PK\x05\x06")
    size, offset = struct.unpack_from("<LL", data, place + 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**9, 10**9, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    (tmp_path / "a.zip").write_bytes(data[:place] + record + locator + data[place:])
    with pytest.raises(ValueError, match=r"holds 1,000,000,000 files; at most 20,000,000"):
        _fetch(tmp_path / "a.zip", tmp_path / "spool")


def test_an_archive_that_the_disk_has_no_room_for_is_refused_before_it_is_full(tmp_path, monkeypatch):
    (tmp_path / "a.tar").write_bytes(hostile_archives.tar_bytes(("a", b"1" * 500), ("b", b"2" * 500)))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=900))
    with pytest.raises(ValueError, match=r"unpacks to 1,000 bytes or more, but .*spool has only 900 free"):
        _fetch(tmp_path / "a.tar", tmp_path / "spool")
    assert _below(tmp_path / "spool") == []


def test_what_a_kill_left_is_removed_by_the_next_run(tmp_path):
    (tmp_path / "a.zip").write_bytes(hostile_archives.zip_bytes(("a.jpg", b"a")))
    place = places.locate(str(tmp_path / "a.zip"), tmp_path / "spool", IngestConfig())
    before = [file.local for file in place.fetch().files]
    folder = next((tmp_path / "spool").iterdir())
    partial = folder.with_name(folder.name + storage.PARTIAL_SUFFIX)
    folder.rename(partial)
    (partial / "00000" / "00000099").write_bytes(b"old")
    assert [file.local for file in place.fetch().files] == before
    assert _below(tmp_path / "spool") == [folder.name, f"{folder.name}/00000", f"{folder.name}/00000/00000000"]


def test_an_archive_of_nothing_but_system_files_is_an_empty_tree(tmp_path):
    (tmp_path / "a.zip").write_bytes(hostile_archives.zip_bytes((".DS_Store", b"junk")))
    tree = _fetch(tmp_path / "a.zip", tmp_path / "spool")
    assert (tree.files, tree.num_ignored) == ((), 1)


def test_a_gzip_that_is_no_tar_is_named(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"emotion,pixels\n" * 99))
    with pytest.raises(ValueError, match=r"a\.csv\.gz is not a tar file"):
        _fetch(tmp_path / "a.csv.gz", tmp_path / "spool")


@pytest.mark.parametrize("magic", [b"BZh9", b"\xfd7zXZ\0", b"7z\xbc\xaf'\x1c", b"Rar!\x1a\x07"])
def test_other_archives_are_named_and_refused(tmp_path, magic):
    (tmp_path / "a.zip").write_bytes(magic + bytes(300))
    with pytest.raises(ValueError, match=r"a\.zip is a .* archive; only \.zip, \.tar and \.tar\.gz are unpacked"):
        _fetch(tmp_path / "a.zip", tmp_path / "spool")

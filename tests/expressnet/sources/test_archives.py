import io
import subprocess
import sys
import tarfile
import zipfile

import pytest

from benchmarks import hostile_archives
from expressnet import sources
from expressnet.config import IngestConfig

ARCHIVES = dict(hostile_archives.archives())
GOOD = {"a.jpg": b"first" * 1000, "folder/b.jpg": b"second", "folder/é.jpg": b"", "folder/deep/c.txt": b"x"}


def _fetch(path, spool, **limits):
    return sources.locate(str(path), spool, IngestConfig(**limits)).fetch()


def _below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "zip with folders", "zip64", "GNU tar"])
def test_an_archive_gives_the_tree_that_was_packed(tmp_path, kind):
    path = tmp_path / "archive"
    if kind.startswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if kind == "zip with folders":
                archive.mkdir("folder")
            for name, data in GOOD.items():
                with archive.open(name, "w", force_zip64=kind == "zip64") as member:
                    member.write(data)
    else:
        form = tarfile.GNU_FORMAT if kind == "GNU tar" else tarfile.PAX_FORMAT
        with tarfile.open(path, "w:gz" if kind == "gztar" else "w", format=form) as tar:
            for name, data in {**GOOD, f"folder/{'long' * 50}.jpg": b"long"}.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    files = {file.path: file.read() for file in _fetch(path, tmp_path / "spool").files}
    files.pop(f"folder/{'long' * 50}.jpg", None)
    assert files == GOOD


def test_releasing_deletes_what_was_unpacked_and_nothing_else(tmp_path):
    (tmp_path / "a.zip").write_bytes(hostile_archives.zip_bytes(("a.jpg", b"a")))
    place = sources.locate(str(tmp_path / "a.zip"), tmp_path / "spool", IngestConfig())
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
def test_a_hostile_archive_is_refused_and_nothing_of_it_is_left(tmp_path, title):
    path = tmp_path / "inner" / "archive"
    path.parent.mkdir()
    path.write_bytes(ARCHIVES[title])
    with pytest.raises(ValueError, match=r"archive( |:)"):
        _fetch(path, tmp_path / "inner" / "spool")
    assert [name for name in _below(tmp_path) if name not in ("inner", "inner/archive", "inner/spool")] == []


BOMBS = dict(hostile_archives.bombs())
REFUSE = """
import resource, sys, time
from pathlib import Path
from expressnet import sources
from expressnet.config import IngestConfig

before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    sources.locate(sys.argv[1], Path(sys.argv[2]), IngestConfig(max_files=50_000)).fetch()
except ValueError as error:
    print(time.process_time() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_is_refused_with_little_work_and_memory(tmp_path, title):
    (tmp_path / "bomb").write_bytes(BOMBS[title])
    command = [sys.executable, "-c", REFUSE, str(tmp_path / "bomb"), str(tmp_path / "spool")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, mebibytes = map(float, done.stdout.split())
    assert seconds < 1
    assert mebibytes < 256
    assert _below(tmp_path) in (["bomb"], ["bomb", "spool"])


@pytest.mark.parametrize("address", hostile_archives.ADDRESSES)
def test_an_address_of_another_kind_is_refused_before_anything_is_opened(tmp_path, address):
    touched = []
    active = [True]

    def watch(event, arguments):
        if active[0] and (event.startswith("socket.") or (event == "open" and "/etc" in str(arguments[0]))):
            touched.append((event, arguments))

    sys.addaudithook(watch)
    try:
        with pytest.raises(
            (ValueError, FileNotFoundError), match=r"Data is read from|Expected gs://|control character"
        ):
            sources.locate(address, tmp_path, IngestConfig())
    finally:
        active[0] = False
    assert touched == []


def test_a_folder_that_leads_out_of_itself_is_refused_unread(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    opened = []
    active = [True]
    sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if active[0] and event == "open" else None)
    refused = []
    for title, folder in hostile_archives.folders(tmp_path / "hostile", outside):
        with pytest.raises(ValueError, match=r"is a link to|is no regular file"):
            _fetch(folder, tmp_path / "spool")
        refused.append(title)
    active[0] = False
    assert len(refused) == 9
    assert not [path for path in opened if "secret" in str(path) or "environ" in str(path)]


def test_links_within_the_folder_are_followed(tmp_path):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "a.jpg").write_bytes(b"a")
    (tmp_path / "happy" / "b.jpg").symlink_to("a.jpg")
    assert [file.read() for file in _fetch(tmp_path, tmp_path / "spool").files] == [b"a", b"a"]


@pytest.mark.parametrize("magic", [b"BZh9", b"\xfd7zXZ\0", b"7z\xbc\xaf'\x1c", b"Rar!\x1a\x07"])
def test_other_archives_are_named_and_refused(tmp_path, magic):
    (tmp_path / "a.zip").write_bytes(magic + bytes(300))
    with pytest.raises(ValueError, match=r"a\.zip is a .* archive; only \.zip, \.tar and \.tar\.gz are unpacked"):
        _fetch(tmp_path / "a.zip", tmp_path / "spool")

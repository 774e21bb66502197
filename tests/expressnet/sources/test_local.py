import os
import socket

import pytest

from expressnet.config.ingest import IngestConfig
from expressnet.sources import places
from tests.look_alikes import touch
from tests.made import hostile_sources
from tests.made.watch import Watch


def _fetch(path, spool, **limits):
    return places.locate(str(path), spool, IngestConfig(**limits)).fetch()


def test_there_are_at_least_forty_hostile_sources(tmp_path):
    folders = list(hostile_sources.folders(tmp_path / "hostile", tmp_path))
    assert len(hostile_sources.ADDRESSES) + len(folders) >= 40


def test_the_watch_sees_reads_writes_and_connections(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, Watch() as watch:
        (tmp_path / "a").write_bytes(b"a")
        (tmp_path / "a").read_bytes()
        assert len(list(tmp_path.iterdir())) == 1
        (tmp_path / "b").mkdir()
        with socket.socket() as client:
            client.connect(server.getsockname())
    (tmp_path / "a").read_bytes()
    assert watch.written == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert watch.read == [str(tmp_path / "a"), str(tmp_path)]
    assert [text.split()[0] for text in watch.connections] == ["socket.connect"]


@pytest.mark.parametrize("address", hostile_sources.ADDRESSES)
def test_an_address_of_another_kind_is_refused_before_anything_is_opened(tmp_path, address):
    with (
        Watch() as watch,
        pytest.raises(ValueError, match=r"Data is read from|Expected gs://|control character|neither a folder nor"),
    ):
        places.locate(address, tmp_path, IngestConfig())
    assert (watch.read, watch.written, watch.connections) == ([], [], [])


def test_a_folder_that_leads_out_of_itself_is_refused_unread(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(b"secret")
    for title, folder in hostile_sources.folders(tmp_path / "hostile", tmp_path / "outside"):
        with (
            Watch() as watch,
            pytest.raises(
                ValueError, match=r"happy/a\.jpg in .* (is a link to /|is not a regular file)|happy/b\.jpg in"
            ),
        ):
            _fetch(folder, tmp_path / "spool")
        assert not [path for path in watch.read if not path.startswith(str(folder))], title


def test_a_folder_gives_its_files_sorted_with_their_bytes(tmp_path):
    paths = ["b/2.jpg", "a/deep/er/1.jpg", "b.csv", "b/10.jpg"]
    tree = _fetch(touch(tmp_path / "data", *paths), tmp_path / "spool")
    assert [file.path for file in tree.files] == sorted(paths)
    assert [(file.read(), file.size) for file in tree.files] == [(path.encode(), len(path)) for path in sorted(paths)]
    assert not (tmp_path / "spool").exists()


def test_a_file_is_a_tree_of_itself(tmp_path):
    tree = _fetch(touch(tmp_path, "fer2013.csv") / "fer2013.csv", tmp_path / "spool")
    assert [(file.path, file.read()) for file in tree.files] == [("fer2013.csv", b"fer2013.csv")]


def test_hidden_and_system_files_are_passed_over_and_counted(tmp_path):
    data = touch(tmp_path / "data", "a/1.jpg", "a/.DS_Store", "__MACOSX/a/1.jpg", ".git/objects/12/34", "Thumbs.db")
    tree = _fetch(data, tmp_path / "spool")
    assert ([file.path for file in tree.files], tree.num_ignored) == (["a/1.jpg"], 4)


def test_folders_without_files_are_named_but_those_of_the_system_are_not(tmp_path):
    data = touch(tmp_path / "data", "happy/deep/1.jpg", ".ipynb_checkpoints/x", "noise/.gitkeep")
    (data / "sad" / "deep").mkdir(parents=True)
    (data / ".git" / "refs").mkdir(parents=True)
    assert _fetch(data, tmp_path / "spool").empty == ("noise", "sad", "sad/deep")


def test_links_within_the_folder_are_files_of_their_own(tmp_path):
    data = touch(tmp_path / "data", "happy/a.jpg")
    (data / "happy" / "b.jpg").symlink_to("a.jpg")
    (data / "happy" / "c.jpg").symlink_to(data / "happy" / "b.jpg")
    tree = _fetch(data, tmp_path / "spool")
    assert [(file.path, file.read()) for file in tree.files] == [
        (f"happy/{letter}.jpg", b"happy/a.jpg") for letter in "abc"
    ]


def test_a_folder_that_is_reached_through_a_link_is_read(tmp_path):
    data = touch(tmp_path / "data", "happy/a.jpg")
    (data / "happy" / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "link").symlink_to(data)
    assert len(_fetch(tmp_path / "link", tmp_path / "spool").files) == 2


def test_a_name_that_is_no_utf8_is_shown_with_question_marks(tmp_path):
    data = touch(tmp_path / "data", "é/a.jpg")
    (data / os.fsdecode(b"\xe9.jpg")).write_bytes(b"latin")
    tree = _fetch(data, tmp_path / "spool")
    assert [(file.path, file.read()) for file in tree.files] == [("?.jpg", b"latin"), ("é/a.jpg", "é/a.jpg".encode())]


def test_more_files_than_allowed_are_refused(tmp_path):
    data = touch(tmp_path / "data", "a/1.jpg", "a/2.jpg", "a/3.jpg")
    assert len(_fetch(data, tmp_path / "spool", max_files=3).files) == 3
    with pytest.raises(ValueError, match=r"data holds more than 2 files \(max_files\); is it the right folder"):
        _fetch(data, tmp_path / "spool", max_files=2)


def test_a_missing_path_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"DATA_URI names {tmp_path}/dta, but nothing is there"):
        places.locate("dta", tmp_path, IngestConfig())

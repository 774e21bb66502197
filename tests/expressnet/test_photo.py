from pathlib import Path

from expressnet import photo, storage
from expressnet.sources.base import File


def test_a_file_that_vanished_is_unreadable_and_no_crash(tmp_path):
    gone = File(path="gone.jpg", local=tmp_path / "gone.jpg", size=3)
    assert photo.see_file(gone) == photo.Seen("", photo.UNREADABLE)
    assert photo.refused(gone, "it takes too long") == photo.Seen("", photo.UNREADABLE)


def test_a_file_that_ended_its_process_is_named_by_its_bytes():
    here = Path(__file__)
    seen = photo.refused(File(path=here.name, local=here, size=here.stat().st_size), "it ends the process")
    assert seen == photo.Seen(storage.file_sha256(here), "it ends the process")

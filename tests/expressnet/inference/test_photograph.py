from pathlib import Path

from expressnet.inference import photograph
from expressnet.runtime import storage
from expressnet.sources.base import File


def test_a_file_that_vanished_is_unreadable_and_no_crash(tmp_path):
    gone = File(path="gone.jpg", local=tmp_path / "gone.jpg", size=3)
    assert photograph.see_file(gone) == photograph.Seen("", photograph.UNREADABLE)
    assert photograph.refused(gone, "it takes too long") == photograph.Seen("", photograph.UNREADABLE)


def test_a_file_that_ended_its_process_is_named_by_its_bytes():
    here = Path(__file__)
    seen = photograph.refused(File(path=here.name, local=here, size=here.stat().st_size), "it ends the process")
    assert seen == photograph.Seen(storage.file_sha256(here), "it ends the process")

import shutil

import pytest

from expressnet.runtime import workspace


def test_crops_keep_their_id_where_the_workspace_moves_and_get_another_where_it_is_emptied(tmp_path):
    first = workspace.identity(tmp_path / "out")
    assert workspace.identity(tmp_path / "out") == first
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    assert workspace.identity(tmp_path / "elsewhere") == first
    shutil.rmtree(tmp_path / "elsewhere" / "crops")
    assert workspace.identity(tmp_path / "elsewhere") != first


def test_crops_that_are_gone_are_cut_anew_by_the_next_run(tmp_path):
    first = workspace.identity(tmp_path)
    with pytest.raises(FileNotFoundError, match="an earlier run cut them, but they are gone.*Start the same run again"):
        workspace.crops(tmp_path, "a-b")
    assert workspace.identity(tmp_path) != first


def test_crops_that_are_there_are_found_by_their_name(tmp_path):
    (workspace.crops_store(tmp_path) / "a-b").mkdir(parents=True)
    assert workspace.crops(tmp_path, "a-b") == tmp_path / "crops" / "a-b"

"""`submit` with a split file: of this machine, of the bucket, of the workspace."""

import contextlib
from pathlib import Path

import pytest

from expressnet.data import split_file
from expressnet.runtime import storage
from expressnet.sources import bucket
from pipelines.__main__ import main
from pipelines.cluster import ClusterError, settings, split_files

TEXT = f"""# ExpressNet split, version 1
# dataset_digest: {"d" * 64}
# protocol: honest
# seed: 52
# split_digest: {"e" * 64}
sha256,split
{"a" * 64},train
"""
DIGEST = storage.bytes_sha256(TEXT.encode())
UPLOADED = f"gs://faces/fer/split-files/{DIGEST}.csv"
SUBMIT = ("submit", "train", "--dataset", "demo", "--preset", "tiny", "--split-file")


@pytest.fixture
def given(tmp_path):
    """A split file of this machine."""
    path = tmp_path / "ours" / split_file.FILE_NAME
    path.parent.mkdir()
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def fer(store, monkeypatch):
    """`fer()` lists name and generation of what lies in the settings' bucket, which is empty at first."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", store)
    monkeypatch.setenv("EXPRESSNET_BUCKET", "gs://faces/fer")
    with contextlib.closing(bucket.client()) as client:
        for blob in client.list_blobs("faces"):
            blob.delete()
        yield lambda: {blob.name: blob.generation for blob in client.list_blobs("faces")}


def _parameters(endpoint):
    return [run.runtime_config.parameters for run in endpoint.runs.values()]


def test_a_file_of_this_machine_is_uploaded_once_under_its_digest_which_the_run_gets(endpoint, given, fer, capsys):
    assert main([*SUBMIT, given]) == 0
    there = fer()
    assert list(there) == [f"fer/split-files/{DIGEST}.csv"]
    assert main([*SUBMIT, given]) == 0
    assert fer() == there
    assert capsys.readouterr().out.count(f"uploaded   {UPLOADED}") == 1
    for parameters in _parameters(endpoint):
        assert (parameters["split_file"], parameters["split_file_digest"]) == (UPLOADED, DIGEST)
    with split_file.fetched(UPLOADED) as path:
        assert path.read_text() == TEXT


def test_an_object_and_a_path_of_the_volume_are_passed_as_they_are(given, fer, tmp_path):
    found = settings.read()
    assert split_files.upload(given, UPLOADED)

    def parameters(place, workspace="/workspace"):
        return tuple(split_files.parameters(place, found, workspace, offline=False).values())

    assert parameters(UPLOADED) == (UPLOADED, DIGEST)
    assert parameters("/workspace/runs/a/split.csv") == ("/workspace/runs/a/split.csv", "")
    assert parameters(given, workspace=str(tmp_path)) == (given, DIGEST)


def test_a_dry_run_says_what_it_would_upload_and_connects_to_nothing(given, monkeypatch, capsys):
    for name in ("EXPRESSNET_HOST", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("EXPRESSNET_BUCKET", "gs://faces/fer")
    assert main([*SUBMIT, given, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"note       {given} is uploaded to {UPLOADED}, unless it is there" in said
    assert f"parameter  split_file_digest = '{DIGEST}'" in said
    found = split_files.parameters("gs://b/s.csv", settings.read(), "/workspace", offline=True)
    assert found == {"split_file": "gs://b/s.csv", "split_file_digest": ""}
    assert split_files.notes("gs://b/s.csv", found) == [
        "gs://b/s.csv is read when the run is submitted, and its digest becomes split_file_digest"
    ]


def test_a_path_of_the_volume_that_nobody_can_read_here_is_noted():
    found = {"split_file": "/workspace/s.csv", "split_file_digest": ""}
    (note,) = split_files.notes("/workspace/s.csv", found)
    assert "whoever changes it must give it another name" in note


def test_without_a_bucket_a_file_of_this_machine_is_refused_with_the_fix(endpoint, given, capsys):
    assert main([*SUBMIT, given]) == 1
    assert "Upload it, or set bucket: gs://... in expressnet.yaml" in capsys.readouterr().err
    assert endpoint.requests == []


@pytest.mark.parametrize("offline", [True, False])
def test_what_is_no_split_is_refused_before_a_node_is_there_for_it(given, offline):
    Path(given).write_text(TEXT.replace(",train", ",dev"))
    with pytest.raises(ClusterError, match=r"split.csv line 7: a split is one of train, .*; got dev"):
        split_files.parameters(given, settings.Settings(bucket="gs://faces"), "/workspace", offline=offline)


def test_an_object_that_is_not_there_and_a_bucket_that_takes_nothing_are_said(given, fer):
    with pytest.raises(ClusterError, match=r"There is no object gs://faces/none.csv"):
        split_files.parameters("gs://faces/none.csv", settings.read(), "/workspace", offline=False)
    with pytest.raises(ClusterError, match=r"gs://nowhere/x/s.csv did not take split.csv"):
        split_files.upload(given, "gs://nowhere/x/s.csv")

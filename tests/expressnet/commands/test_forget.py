import shutil
import subprocess
import sys

import pandas as pd
import pytest

from expressnet.artifacts.provenance import Provenance
from expressnet.artifacts.registration import Registration
from expressnet.commands import forget
from expressnet.config.crop import CropConfig
from expressnet.config.ingest import IngestConfig
from expressnet.config.split import SplitConfig
from expressnet.data import forgotten, manifest, shards
from expressnet.runtime import storage
from expressnet.stages import crop, ingest, split

COUNTS = {"happy": 12, "sad": 12}
CROP = CropConfig(size_px=32, detector="short_range")

# Forgets in copies of a workspace, killed right before the n-th event of a kind, for n = 1, 2, ...; then forgets again.
# Nothing of arrow may run in the process that forks: its threads would be lost.
FORGET_UNTIL_KILLED = """
import os, shutil, signal, sys
from expressnet.commands import forget

workspace, event, sha256s = sys.argv[1], sys.argv[2], sys.argv[3:]

def in_child(folder, remaining):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def kill(name, arguments):
        nonlocal remaining
        if name == event:
            remaining -= 1
            if remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    forget.run(folder, sha256s)
    os._exit(0)

number = 1
while True:
    folder = f"{workspace}-{number}"
    shutil.copytree(workspace, folder)
    code = in_child(folder, number)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    assert in_child(folder, 0) == 0
    number += 1
"""


def _run(workspace, source, limit=0):
    """Ingests, crops and splits as the stages do; returns the report of every one."""
    photos = ingest.run(str(source), workspace / "datasets", IngestConfig(dataset="folder", limit=limit)).plain()
    faces = crop.run(photos["path"], workspace / "crops", CROP).plain()
    out_dir = workspace / "artifacts" / f"run-{photos['dataset_digest'][:8]}" / "split" / "splits"
    divided = split.run(faces["path"], str(out_dir), SplitConfig()).plain()
    return photos, faces, divided


def _write_rest(workspace, photos, faces, divided):
    """Writes what validate, evaluate, register and the runner leave, as far as it names data."""
    run_dir = workspace / "artifacts" / f"run-{photos['dataset_digest'][:8]}"
    splits = manifest.read(run_dir / "split" / "splits")
    (run_dir / "validate").mkdir()
    (run_dir / "validate" / "validation_report").write_text(f"<p>{photos['dataset_digest']}</p>")
    storage.write_json(run_dir / "validate" / "executor_output.json", {"dataset_digest": photos["dataset_digest"]})
    model_dir = workspace / "mlartifacts" / "r1" / "artifacts" / "model"
    digests = {"dataset_digest": photos["dataset_digest"], "split_digest": divided["split_digest"]}
    Provenance(dataset="folder", dataset_id="folder", protocol="honest", config={}, **digests).write(model_dir)
    Registration(
        model_name="expressnet-folder",
        version="20260101-abcdabcd",
        number=1,
        run_id="r1",
        model_digest="m",
        files_digest="f",
        is_new=True,
    ).write(run_dir / "register" / "registration")
    for folder in (run_dir / "evaluate" / "evaluation", model_dir.parent / "evaluation"):
        folder.mkdir(parents=True)
        splits[["sha256", "label", "split"]].to_parquet(folder / "predictions.parquet", index=False)
    storage.write_json(workspace / "cache" / "k1.json", {"faces": {"uri": faces["path"]} | photos})
    storage.write_json(workspace / "cache" / "k2.json", {"of": "another data set"})
    log = workspace / "runs" / "r1" / "run.log"
    log.parent.mkdir(parents=True)
    log.write_text("started\n" + "".join(f"looked at {sha256}\n" for sha256 in splits["sha256"]))


@pytest.fixture(scope="module")
def source(tmp_path_factory, write_tree):
    return write_tree(tmp_path_factory.mktemp("source") / "tree", COUNTS)


@pytest.fixture(scope="module")
def used(tmp_path_factory, source):
    """A workspace in which a sample and then the whole of a data set went through all stages."""
    workspace = tmp_path_factory.mktemp("used") / "out"
    _run(workspace, source, limit=20)
    reports = _run(workspace, source)
    _write_rest(workspace, *reports)
    return workspace, reports


@pytest.fixture
def workspace(tmp_path, used):
    """A copy of `used`."""
    shutil.copytree(used[0], tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(scope="module")
def traces(used, source):
    """The hashes of two examples, one of class happy that is trained on and one sad; with all that must not remain."""
    workspace, (photos, faces, divided) = used
    splits = manifest.read(workspace / "artifacts" / f"run-{photos['dataset_digest'][:8]}" / "split" / "splits")
    trained = splits[splits["split"] == "train"].set_index("label")["sha256"]
    sha256s = [trained["happy"].iloc[0], trained["sad"].iloc[0]]
    needles = [sha256.encode() for sha256 in sha256s]
    for folder in (photos["path"], faces["path"]):
        rows = manifest.read(folder)
        reader = shards.Reader(folder)
        needles += map(reader.read, shards.locate(rows[rows["sha256"].isin(sha256s)]))
        reader.close()
    return sha256s, needles


def _holders(workspace, needles):
    """Every file in which any of the needles is; tables are searched as they are and by their rows."""
    found = set()
    for path in sorted(path for path in workspace.rglob("*") if path.is_file() and path.name != forgotten.FILE_NAME):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += pd.read_parquet(path).to_csv().encode()
        if any(needle in data for needle in needles):
            found.add(str(path.relative_to(workspace)))
    return found


def test_not_a_byte_and_not_a_row_of_an_example_remains(workspace, traces):
    sha256s, needles = traces
    before = _holders(workspace, needles)
    assert {name.split("/")[0] for name in before} == {"datasets", "crops", "artifacts", "mlartifacts", "runs"}
    report = forget.run(workspace, sha256s)
    assert _holders(workspace, needles) == set()
    assert (report["num_examples"], report["num_crops"], report["unknown"]) == (2, 2, "")
    assert not list(workspace.rglob("*.partial"))


def test_everybody_else_stays(workspace, traces, used):
    rows = manifest.read(used[1][0]["path"])
    forget.run(workspace, traces[0])
    [folder] = [
        path.parent for path in workspace.glob("datasets/*/dataset.json") if len(manifest.read(path.parent)) == 22
    ]
    kept = manifest.read(folder)
    assert set(kept["sha256"]) == set(rows["sha256"]) - set(traces[0])
    reader = shards.Reader(folder)
    for sha256, location in zip(kept["sha256"], shards.locate(kept), strict=True):
        assert storage.bytes_sha256(reader.read(location)) == sha256
    predictions = pd.read_parquet(workspace / "mlartifacts/r1/artifacts/evaluation/predictions.parquet")
    assert set(predictions["sha256"]) == set(kept["sha256"])
    assert (workspace / "runs/r1/run.log").read_text().count("looked at") == 22
    assert [path.name for path in workspace.glob("cache/*")] == ["k2.json"]


def test_the_next_run_leaves_them_out_and_finds_the_rest_stored_and_cut(workspace, traces, source, monkeypatch):
    forget.run(workspace, traces[0])
    stored = {path.parent.name for path in workspace.glob("datasets/*/dataset.json")}
    info = storage.read_json(workspace / "datasets" / sorted(stored)[0] / "dataset.json")
    monkeypatch.setattr(shards, "_write", lambda *_: pytest.fail("a shard was written anew"))
    photos, faces, _ = _run(workspace, source)
    assert photos["dataset_digest"] in stored
    assert (photos["num_forgotten"], photos["num_examples"], info["num_forgotten"]) == (2, 22, 2)
    assert not set(traces[0]) & set(manifest.read(faces["path"])["sha256"])
    assert faces["num_examples"] == 22


def test_what_the_data_set_says_of_itself_is_what_ingest_says(workspace, traces, source):
    forget.run(workspace, traces[0])
    fresh = ingest.run(str(source), workspace / "datasets", IngestConfig(dataset="folder")).plain()
    stored = storage.read_json(workspace / "datasets" / fresh["dataset_digest"] / "dataset.json")
    assert stored["colours"]
    shutil.rmtree(workspace / "datasets")
    ingest.run(str(source), workspace / "datasets", IngestConfig(dataset="folder"))
    assert stored == storage.read_json(workspace / "datasets" / fresh["dataset_digest"] / "dataset.json")


def test_what_only_the_source_tells_is_unknown_until_the_next_ingest(workspace, traces):
    forget.run(workspace, traces[0])
    infos = map(storage.read_json, workspace.glob("datasets/*/dataset.json"))
    assert {str(info["colours"]) for info in infos if info["num_forgotten"]} == {"[]"}


def test_pages_of_the_data_set_go_and_the_models_that_saw_it_are_named(workspace, traces):
    report = forget.run(workspace, traces[0])
    assert not list(workspace.glob("artifacts/*/validate/*"))
    assert report["models"] == "expressnet-folder 20260101-abcdabcd"
    assert (workspace / "mlartifacts/r1/artifacts/model/provenance.json").exists()


def test_a_model_that_only_was_tested_on_an_example_is_not_named(workspace, used):
    digest = used[1][0]["dataset_digest"]
    splits = manifest.read(workspace / "artifacts" / f"run-{digest[:8]}" / "split" / "splits")
    assert forget.run(workspace, [splits.set_index("split")["sha256"]["test"].iloc[0]])["models"] == ""


@pytest.mark.parametrize("event", ["os.rename", pytest.param("os.remove", marks=pytest.mark.slow)])
def test_a_killed_call_is_completed_by_the_next_one(workspace, traces, event):
    sha256s, needles = traces
    script = [sys.executable, "-c", FORGET_UNTIL_KILLED, str(workspace), event]
    subprocess.run([*script, *sha256s], check=True, timeout=300)
    copies = sorted(workspace.parent.glob("out-*"))
    assert len(copies) > 15
    for copy in copies:
        assert _holders(copy, needles) == set(), copy
        sizes = sorted(len(manifest.read(path.parent)) for path in copy.glob("datasets/*/dataset.json"))
        assert len(sizes) == 2, copy
        assert sizes[1] == 22, copy
        crops = copy.glob("crops/*/shards/*.parquet")
        assert len(set(pd.concat(map(pd.read_parquet, crops))["sha256"])) == 22, copy


def test_an_unknown_example_is_recorded_and_said(workspace, source):
    unknown = storage.bytes_sha256(b"never seen")
    report = forget.run(workspace, [unknown.upper()])
    assert (report["num_examples"], report["unknown"]) == (0, unknown)
    assert forgotten.read(workspace) == {unknown}


def test_leftovers_of_killed_runs_go_too(workspace, traces):
    (workspace / "spool" / "fetch").mkdir(parents=True)
    for place in ("spool/fetch/archive.zip", "datasets/abc.partial", "work/scratch.partial", "crops/abc.partial"):
        path = workspace / place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"..." + traces[1][2])
    forget.run(workspace, traces[0])
    assert _holders(workspace, traces[1]) == set()


def test_all_examples_of_a_data_set_can_be_forgotten(workspace, used):
    forget.run(workspace, list(manifest.read(used[1][0]["path"])["sha256"]))
    assert not list(workspace.glob("datasets/*/"))
    assert not list(workspace.glob("crops/*/"))


def test_a_data_set_of_another_version_is_deleted_whole(workspace, traces, used):
    path = workspace / "datasets" / used[1][0]["dataset_digest"] / manifest.FILE_NAME
    pd.read_parquet(path).to_parquet(path)  # without the version
    forget.run(workspace, traces[0])
    assert _holders(workspace, traces[1]) == set()
    assert not path.parent.exists()


def test_a_record_of_a_conflict_is_forgotten(tmp_path, write_tree):
    source = write_tree(tmp_path / "source", COUNTS)
    shutil.copyfile(source / "happy" / "000.png", source / "sad" / "new.png")
    photos = ingest.run(str(source), tmp_path / "out" / "datasets", IngestConfig(dataset="folder")).plain()
    sha256 = storage.file_sha256(source / "happy" / "000.png")
    assert len(_holders(tmp_path / "out", [sha256.encode()])) == 1
    report = forget.run(tmp_path / "out", [sha256])
    assert (report["num_examples"], report["unknown"]) == (1, "")
    assert _holders(tmp_path / "out", [sha256.encode()]) == set()
    assert len(manifest.read(photos["path"])) == 23


@pytest.mark.parametrize(
    ("sha256s", "message"),
    [(["a" * 63], r"64 hexadecimal digits; got 'a{63}'"), (["face.jpg"], r"64 hexadecimal digits; got 'face\.jpg'")],
)
def test_what_is_no_hash_is_refused_and_nothing_recorded(tmp_path, sha256s, message):
    with pytest.raises(ValueError, match=message):
        forget.run(tmp_path, ["b" * 64, *sha256s])
    assert forgotten.read(tmp_path) == frozenset()


def test_a_workspace_that_is_not_there_is_no_workspace(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no workspace at .*nowhere. Is OUT="):
        forget.run(tmp_path / "nowhere", ["b" * 64])


def test_a_run_in_the_workspace_is_waited_for_by_people(workspace, traces):
    with storage.lock(workspace / ".run.lock", wait=False):
        with pytest.raises(BlockingIOError, match="recorded, but not erased yet: say the same again after it"):
            forget.run(workspace, traces[0])
    assert forgotten.read(workspace) == set(traces[0])
    assert forget.run(workspace, traces[0])["num_examples"] == 2

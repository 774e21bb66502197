"""Parts that share the cutting, joined by crop, against crop alone."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data as pictures

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.crop import CropConfig, CutConfig
from expressnet.config.ingest import IngestConfig
from expressnet.data import shards
from expressnet.runtime import storage
from expressnet.stages import crop, cut, ingest

NUM_EXAMPLES = 320
MAX_SHARD_BYTES = 100_000  # crops of 32 px are taken for 2 KiB each, so there are 16 shards of about 20
SETTINGS = CropConfig(size_px=32, num_workers=1)

PART = """
import os
import signal
import sys
from expressnet.data import shards
from expressnet.stages import cut
from expressnet.config.crop import CropConfig, CutConfig

left = 3  # shards until the process is killed


def kill(event, arguments):
    global left
    if event == "os.rename" and str(arguments[0]).endswith(".tar.partial"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    shards.MAX_SHARD_BYTES = int(sys.argv[3])
    sys.addaudithook(kill)
    cut.run(sys.argv[1], sys.argv[2], CropConfig(size_px=32, num_workers=1), CutConfig(part=1, num_parts=2))
"""


@pytest.fixture(scope="module", autouse=True)
def _small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "MAX_SHARD_BYTES", MAX_SHARD_BYTES)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A data set of plain colours and one face."""
    tree = tmp_path_factory.mktemp("photos") / "tree"
    for name in ("happy", "neutral"):
        (tree / name).mkdir(parents=True)
    for number in range(NUM_EXAMPLES - 1):
        Image.new("RGB", (40, 40), (number % 256, number // 256, 50)).save(tree / "neutral" / f"{number}.png")
    Image.fromarray(pictures.astronaut()).save(tree / "happy" / "astronaut.png")
    return Path(ingest.run(str(tree), tree.parent / "store", IngestConfig(dataset="folder")).plain()["path"])


@pytest.fixture(scope="module")
def alone(photos, tmp_path_factory):
    """The report and the files of crop without parts."""
    report = crop.run(str(photos), tmp_path_factory.mktemp("alone"), SETTINGS).plain()
    return report, _files(Path(report["path"]))


def _files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _cut(photos, store, part, num_parts):
    return cut.run(str(photos), store, SETTINGS, CutConfig(part=part, num_parts=num_parts)).plain()


def _partial(store, alone):
    return store / f"{Path(alone[0]['path']).name}.partial"


def _assert_joined(photos, store, alone):
    report = crop.run(str(photos), store, SETTINGS).plain()
    assert report == alone[0] | {"path": str(store / Path(alone[0]["path"]).name)}
    assert _files(Path(report["path"])) == alone[1]
    assert not _partial(store, alone).exists()


@pytest.fixture
def without_photographs(photos):
    """Hides the photographs while it is called for, so that reading one fails."""
    hidden = photos.with_name("hidden")
    (photos / shards.FOLDER).rename(hidden)
    yield lambda: hidden.rename(photos / shards.FOLDER)
    if hidden.exists():
        hidden.rename(photos / shards.FOLDER)


def test_parts_and_their_join_are_what_one_run_is(photos, alone, tmp_path):
    reports = [_cut(photos, tmp_path, part, 3) for part in (2, 0, 1)]
    assert sum(report["num_photos"] for report in reports) == NUM_EXAMPLES
    assert {report["crops"] for report in reports} == {Path(alone[0]["path"]).name}
    stamps = {path.name: path.stat().st_mtime_ns for path in _partial(tmp_path, alone).rglob("*.tar")}
    assert len(stamps) == 16
    _assert_joined(photos, tmp_path, alone)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tar")} == stamps  # nothing was cut again


def test_a_killed_part_alone_is_tried_again_and_goes_on(photos, alone, tmp_path):
    _cut(photos, tmp_path, 0, 2)
    folder = _partial(tmp_path, alone)
    num_others = len(list(folder.rglob("*.tar")))
    script = tmp_path / "part.py"
    script.write_text(PART)
    killed = subprocess.run([sys.executable, script, photos, tmp_path, str(MAX_SHARD_BYTES)], check=False)
    assert killed.returncode == -signal.SIGKILL
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*.tar")}
    assert num_others < len(stamps) < 16
    _cut(photos, tmp_path, 1, 2)
    assert stamps.items() <= {path: path.stat().st_mtime_ns for path in folder.rglob("*.tar")}.items()
    _assert_joined(photos, tmp_path, alone)


def test_a_part_that_fails_and_a_join_that_fails_leave_what_others_cut(photos, alone, tmp_path, without_photographs):
    without_photographs()
    _cut(photos, tmp_path, 0, 3)
    cut_before = _files(_partial(tmp_path, alone))
    (photos / shards.FOLDER).rename(photos.with_name("hidden"))
    with pytest.raises(FileNotFoundError, match="tar"):
        _cut(photos, tmp_path, 1, 3)
    with pytest.raises(FileNotFoundError, match="tar"):
        crop.run(str(photos), tmp_path, SETTINGS)
    assert cut_before.items() <= _files(_partial(tmp_path, alone)).items()
    without_photographs()
    _assert_joined(photos, tmp_path, alone)


def test_a_join_alone_that_fails_leaves_nothing(photos, alone, tmp_path, without_photographs):
    with pytest.raises(FileNotFoundError, match="tar"):
        crop.run(str(photos), tmp_path, SETTINGS)
    assert not _partial(tmp_path, alone).exists()


def test_remains_of_another_try_spoil_nothing(photos, alone, tmp_path):
    _cut(photos, tmp_path, 0, 16)
    folder = _partial(tmp_path, alone) / shards.FOLDER
    whole = next(folder.glob("*.tar"))
    for name in ("e-0123456789abcdef", "all-fedcba9876543210"):  # as cut for other neighbours
        for suffix in (".tar", ".parquet"):
            shutil.copyfile(whole.with_suffix(suffix), folder / (name + suffix))
    whole.write_bytes(whole.read_bytes()[:1000])
    (folder / f"0a1b2c-{whole.name}.partial").write_bytes(b"half")
    _assert_joined(photos, tmp_path, alone)


def test_crops_whose_parts_are_gone_are_cut_by_the_join(photos, alone, tmp_path):
    """As when Kubeflow takes the parts from its cache and somebody emptied the folder."""
    _cut(photos, tmp_path, 0, 2)
    shutil.rmtree(_partial(tmp_path, alone))
    _assert_joined(photos, tmp_path, alone)


def test_a_part_that_comes_late_finds_the_crops_and_does_nothing(photos, alone, tmp_path, capsys):
    store = Path(shutil.copytree(Path(alone[0]["path"]).parent, tmp_path / "store"))
    assert _cut(photos, store, 1, 2)["num_photos"] == 0
    assert "cropped before" in capsys.readouterr().out
    _partial(store, alone).mkdir()  # of one that looked a moment before the join ended
    _assert_joined(photos, store, alone)


@pytest.mark.parametrize(
    ("part", "num_parts", "message"),
    [
        (0, 257, r"num_parts must be in 1\.\.256; got 257"),
        (0, 0, r"num_parts must be in 1\.\.256; got 0"),
        (3, 3, r"part must be in 0\.\.2; got 3"),
    ],
)
def test_a_part_that_is_not_there_is_refused(part, num_parts, message):
    with pytest.raises(ValueError, match=message):
        CutConfig(part=part, num_parts=num_parts)


def test_the_folder_of_the_parts_says_what_they_were_cut_of(photos, alone, tmp_path):
    other = storage.read_json(photos / DatasetInfo.FILE)
    copy = Path(shutil.copytree(photos, tmp_path / "copy"))
    storage.write_json(copy / DatasetInfo.FILE, other | {"dataset_digest": "0" * 64})
    for dataset, settings in ((copy, SETTINGS), (photos, CropConfig(size_px=33, num_workers=1))):
        report = cut.run(str(dataset), tmp_path, settings, CutConfig(part=0, num_parts=256)).plain()
        assert report["crops"] != Path(alone[0]["path"]).name

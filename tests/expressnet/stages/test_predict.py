import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from expressnet.commands import forget
from expressnet.config.crop import CropConfig
from expressnet.config.predict import PredictConfig
from expressnet.inference import bundle, photograph, prediction_table
from expressnet.runtime import storage, workers
from expressnet.stages import predict

DEMO = Path(__file__).parents[3] / "data" / "demo" / "images"
PEOPLE = ("p001_happy", "p002_sad", "p003_fear", "p004_anger")
PROBLEMS = {"empty.png": "the file is empty", "notes.txt": "no image of a known format", "torn.jpg": "damaged image"}

# Predicts so few files together that a run can be killed between them.
PREDICT = """
import sys

if __name__ == "__main__":

    from expressnet.config.predict import PredictConfig
    from expressnet.stages import predict

    print(predict.run(sys.argv[1], sys.argv[2], PredictConfig(files_each=8, num_workers=1)).num_predicted)
"""


@pytest.fixture
def workspace(champion, tmp_path):
    """A workspace of the test's own; the files of the model are those of `champion`."""
    folder = tmp_path / "out"
    shutil.copytree(champion[0], folder, ignore=shutil.ignore_patterns("mlartifacts", "predictions"))
    return folder


@pytest.fixture(scope="session")
def album(tmp_path_factory):
    """A folder of four people, one of them twice, and three files that are no photographs."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "more").mkdir()
    for name in PEOPLE:
        shutil.copy(DEMO / f"{name}.jpg", folder)
    shutil.copy(DEMO / "p001_happy.jpg", folder / "more" / "again & <b>.jpg")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("dear diary")
    (folder / "torn.jpg").write_bytes((DEMO / "p005_sad.jpg").read_bytes()[:900])
    return folder


def _run(source, workspace, **settings):
    report = predict.run(str(source), str(workspace), PredictConfig(num_workers=1, **settings)).plain()
    return report, pd.read_parquet(report["table_path"]).set_index("file")


@pytest.fixture(scope="module")
def first(champion, album, tmp_path_factory):
    """The workspace, the report and the table of one prediction with a gallery."""
    folder = tmp_path_factory.mktemp("first") / "out"
    shutil.copytree(champion[0], folder, ignore=shutil.ignore_patterns("mlartifacts", "predictions"))
    return folder, *_run(album, folder, gallery=True)


def test_every_file_is_a_row_with_an_answer_or_a_reason(first, album):
    _, report, table = first
    assert list(table.index) == sorted(path.relative_to(album).as_posix() for path in album.rglob("*.*"))
    assert {file: problem for file, problem in table["problem"].items() if problem} == PROBLEMS
    assert table.loc[list(PROBLEMS), ["class", "box_xyxy", "probabilities", "entropy"]].isna().all(axis=None)
    assert (report["num_files"], report["num_faces_found"], report["num_refused"]) == (8, 5, 3)
    assert report["problem_counts"] == "damaged image 1, no image of a known format 1, the file is empty 1"


def test_an_answer_is_the_models_own_for_the_face_cut_as_in_training(first, trained):
    _, report, table = first
    model = bundle.Bundle(trained[0])
    settings = CropConfig(**model.preprocess.crop)
    data = (DEMO / "p002_sad.jpg").read_bytes()
    (seen,) = workers.run(photograph.see, [data], start=photograph.start, start_arguments=(settings,), timeout_s=60)
    expected = model.predict(seen.square[None])
    row = table.loc["p002_sad.jpg"]
    np.testing.assert_allclose(row["probabilities"], expected.probabilities[0], atol=1e-5)
    np.testing.assert_allclose(row["expression_gates"], expected.expression_gates[0], atol=1e-5)
    assert row["class"] == model.classes[int(expected.probabilities.argmax())]
    assert tuple(row["box_xyxy"]) == seen.facts["box_xyxy"]
    assert prediction_table.about(Path(report["table_path"]))["classes"] == model.classes


def test_the_same_bytes_get_the_same_answer_once(first):
    _, report, table = first
    assert report["num_predicted"] == 7
    one, other = table.loc["p001_happy.jpg"], table.loc["more/again & <b>.jpg"]
    assert one["sha256"] == other["sha256"]
    np.testing.assert_array_equal(one["probabilities"], other["probabilities"])


def test_the_gallery_shows_the_faces_and_asks_for_nothing(first):
    _, report, table = first
    page = Path(report["gallery_path"]).read_text()
    assert page.count("<figure") == 4  # one of the five is the same picture
    assert all(f'id="{sha256}"' in page for sha256 in table.loc[[f"{name}.jpg" for name in PEOPLE], "sha256"])
    assert "torn.jpg" in page
    assert "http" not in page
    assert "<script" not in page


def test_again_nothing_is_predicted_and_a_new_file_alone_when_the_folder_grows(first, album, tmp_path):
    workspace, report, table = first
    again, _ = _run(album, workspace)
    assert (again["num_predicted"], again["path"]) == (0, report["path"])
    grown = shutil.copytree(album, tmp_path / "grown")
    shutil.copy(DEMO / "p006_neutral.jpg", grown)
    more, larger = _run(grown, workspace)
    assert more["num_predicted"] == 1
    assert larger.loc[table.index, "sha256"].equals(table["sha256"])
    assert not list((workspace / "predictions").glob("*.partial"))


def test_an_archive_and_the_version_by_name_give_the_same_table(champion, first, album, workspace, tmp_path):
    _, report, _ = first
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for path in album.rglob("*.*"):
            archive.write(path, path.relative_to(album))
    before = set(workspace.rglob("*"))
    packed, _ = _run(tmp_path / "album.zip", workspace, version=champion[1])
    assert (packed["version"], packed["gallery_path"]) == (champion[1], "")
    assert storage.file_sha256(Path(packed["table_path"])) == storage.file_sha256(Path(report["table_path"]))
    kept = [path for path in set(workspace.rglob("*")) - before if path.suffix in (".jpg", ".png", ".html")]
    assert kept == []  # nothing of a picture stays behind


def test_a_version_or_model_that_is_not_there_is_named(workspace, tmp_path):
    shutil.copy(DEMO / "p001_happy.jpg", tmp_path / "one.jpg")
    with pytest.raises(FileNotFoundError, match="VERSION=20200101-00000000 must name one version of"):
        _run(tmp_path / "one.jpg", workspace, version="20200101-00000000")
    with pytest.raises(FileNotFoundError, match="asked for was expressnet-other"):
        _run(tmp_path / "one.jpg", workspace, model="expressnet-other")


def test_wrong_input_and_a_wrong_workspace_are_told_apart(workspace, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"INPUT names .*nowhere, but nothing is there"):
        _run(tmp_path / "nowhere", workspace)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"INPUT=.*empty holds no file"):
        _run(tmp_path / "empty", workspace)
    with pytest.raises(FileNotFoundError, match="There is no workspace at .*elsewhere"):
        _run(tmp_path / "empty", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_forgotten_leaves_the_tables_and_is_not_looked_at_again(workspace, tmp_path):
    folder = tmp_path / "two"
    folder.mkdir()
    for name in PEOPLE[:2]:
        shutil.copy(DEMO / f"{name}.jpg", folder)
    report, table = _run(folder, workspace, gallery=True)
    gone = table.loc["p001_happy.jpg", "sha256"]
    forget.run(workspace, [gone])
    assert list(pq.read_table(report["table_path"])["file"].to_pylist()) == ["p002_sad.jpg"]
    assert not Path(report["gallery_path"]).exists()
    again, table = _run(folder, workspace)
    assert again["num_predicted"] == 0
    assert dict(table["problem"]) == {"p001_happy.jpg": photograph.FORGOTTEN, "p002_sad.jpg": ""}
    assert gone not in set(table["sha256"])


@pytest.mark.slow
def test_a_killed_run_is_completed_and_repeats_nothing(workspace, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for path in sorted(DEMO.glob("*.jpg"))[:96]:
        shutil.copy(path, folder)
    (tmp_path / "predict.py").write_text(PREDICT)
    command = [sys.executable, "-W", "ignore", str(tmp_path / "predict.py"), str(folder), str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 300
        while len(list(workspace.glob("predictions/*.partial/[0-9]*.parquet"))) < 3:
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.002)
        running.send_signal(signal.SIGKILL)
    num_done = sum(pq.read_metadata(path).num_rows for path in workspace.glob("predictions/*.partial/[0-9]*.parquet"))
    assert 24 <= num_done < 96
    assert not list(workspace.glob("predictions/*/predict.json"))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) == 96 - num_done
    table = pd.read_parquet(next(workspace.glob("predictions/*/predictions.parquet")))
    assert (len(table), table["class"].isna().sum()) == (96, 0)
    assert not list(workspace.glob("predictions/*.partial"))

    report, _ = _run(folder, workspace, gallery=True, max_gallery_bytes=100_000)
    page = Path(report["gallery_path"]).read_bytes()
    assert len(page) <= 100_000
    num_shown = page.count(b"<figure")
    assert 10 < num_shown < 96
    assert f"{num_shown} of 96 pictures are shown".encode() in page

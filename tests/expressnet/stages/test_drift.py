"""New photographs against a trained champion; here they are its own crops under other names."""

import shutil

import pandas as pd
import pytest

from expressnet.config.drift import DriftConfig
from expressnet.data import manifest, shards
from expressnet.registry import registry
from expressnet.runtime import storage
from expressnet.stages import drift

DIGEST = "d" * 64  # of the champion's data set


@pytest.fixture
def workspace(champion, crops_and_split, tmp_path):
    """The champion's workspace with its data set, and the champion's version."""
    folder = shutil.copytree(champion[0], tmp_path / "out", ignore=shutil.ignore_patterns("mlartifacts"))
    (folder / "datasets" / DIGEST).mkdir(parents=True)
    for name in (manifest.FILE_NAME, shards.FOLDER):
        (folder / "datasets" / DIGEST / name).symlink_to(f"{crops_and_split[0]}/{name}")
    return folder, champion[1]


def _grown(crops_and_split, folder, digest, **changes):
    """Crops of a data set that has every image of the champion's twice, the second time with `changes`."""
    shutil.copytree(crops_and_split[0], folder)
    rows = manifest.read(folder)
    new = rows.assign(sha256=["0" + sha256[1:] + digest[0] for sha256 in rows["sha256"]], **changes)
    manifest.write(pd.concat([rows, new], ignore_index=True), folder, manifest.CROPPED)
    info = storage.read_json(folder / "crops.json")
    storage.write_json(folder / "crops.json", info | {"dataset": info["dataset"] | {"dataset_digest": digest}})
    return folder


def _look(faces, workspace, name, **config):
    folder, version = workspace
    return drift.run(str(faces), str(folder / name), str(folder), version, DriftConfig(**config)).plain()


def test_more_of_the_same_is_no_drift_and_the_report_has_the_figures(crops_and_split, workspace, tmp_path):
    report = _look(_grown(crops_and_split, tmp_path / "faces", "e" * 64), workspace, "look")
    assert "72 new images, 11 figures compared" in report["verdict"]
    assert report["verdict"].endswith("no large shift")
    assert (report["alarms"], report["num_new"]) == ("", 72)
    assert report["psi_brightness"] == report["psi_class"] == 0
    page = (workspace[0] / "look" / drift.REPORT_FILE).read_text()
    for name in ("face found", "embedding", "predicted class", "confidence", "cnn expert", "Not seen is what leaves"):
        assert name in page


def test_faces_of_one_kind_only_lie_elsewhere_in_the_embedding(crops_and_split, workspace, tmp_path):
    faces = _grown(crops_and_split, tmp_path / "faces", "e" * 64)
    rows = manifest.read(faces)
    is_new, places = rows["sha256"].str.len() == 65, ["shard", "offset", "size"]
    rows.loc[is_new, places] = rows.loc[rows["label"] == "happy", places].iloc[0].tolist()
    manifest.write(rows, faces, manifest.CROPPED)
    report = _look(faces, workspace, "look")
    assert "embedding" in report["alarms"].split(", ")
    assert report["psi_embedding"] > 0.2


def test_test_images_that_are_no_longer_there_are_cut_anew_for_the_embedding(crops_and_split, workspace, tmp_path):
    faces = _grown(crops_and_split, tmp_path / "faces", "e" * 64)
    rows = manifest.read(faces)
    manifest.write(rows[rows["sha256"].str.len() == 65].reset_index(drop=True), faces, manifest.CROPPED)
    report = _look(faces, workspace, "1")
    assert "embedding" not in report["verdict"]
    assert report["psi_embedding"] > 0
    shutil.rmtree(workspace[0] / "datasets" / DIGEST)
    gone = _look(faces, workspace, "2")
    assert (
        "champion's data are gone, so all images count as new, and neither their looks nor its embedding are compared"
        in gone["verdict"]
    )
    assert "psi_embedding" not in gone


def test_one_alarm_alone_decides_nothing_and_the_second_in_a_row_stops(crops_and_split, workspace, tmp_path):
    bright = {"brightness": 250.0}
    one, two, three = (_grown(crops_and_split, tmp_path / digest, digest * 64, **bright) for digest in "abc")
    report = _look(one, workspace, "1", on_drift="stop")
    assert (report["alarms"], report["repeated_alarms"]) == ("brightness", "")
    assert "one alarm alone decides nothing" in report["verdict"]
    again = _look(one, workspace, "2", on_drift="stop")
    assert again == report
    with pytest.raises(ValueError, match=r"ON_DRIFT=stop: .*data in a row: brightness.*ON_DRIFT=go trains"):
        _look(two, workspace, "3", on_drift="stop")
    assert (workspace[0] / "3.failed" / drift.REPORT_FILE).exists()
    assert not (workspace[0] / "3").exists()
    told = _look(three, workspace, "4")
    assert told["repeated_alarms"] == "brightness"


def test_without_new_images_or_without_a_champion_there_is_nothing_to_compare(crops_and_split, workspace):
    folder, version = workspace
    report = _look(crops_and_split[0], workspace, "look")
    assert (report["verdict"], report["num_new"]) == (f"no image that {version} was not made of", 0)
    first = drift.run(crops_and_split[0], str(folder / "first"), str(folder), "", DriftConfig()).plain()
    assert first["verdict"] == "no champion to compare with"


def test_what_cannot_be_compared_is_said(crops_and_split, workspace, tmp_path):
    shutil.rmtree(workspace[0] / "datasets" / DIGEST)
    faces = _grown(crops_and_split, tmp_path / "faces", "e" * 64)
    info = storage.read_json(faces / "crops.json")
    storage.write_json(faces / "crops.json", info | {"config": info["config"] | {"margin": 0.3}})
    report = _look(faces, workspace, "look")
    assert "144 new images, 1 figures compared" in report["verdict"]
    assert "The champion's data are gone" in report["verdict"]
    assert "cut in another way" in report["verdict"]


def test_a_champion_whose_answers_were_erased_is_compared_by_looks_alone(crops_and_split, champion, tmp_path):
    # Files of its own: those of `champion` are shared.
    folder = shutil.copytree(champion[0], tmp_path / "out")
    models = registry.Registry(folder)
    run_id = models.version(champion[1]).run_id
    answers = next(champion[0].glob(f"mlartifacts/**/{run_id}/artifacts/evaluation/predictions.parquet"))
    whole = answers.read_bytes()
    try:
        pd.read_parquet(answers).iloc[1:].to_parquet(answers, index=False)
        shutil.copytree(crops_and_split[0], folder / "datasets" / DIGEST)
        faces = _grown(crops_and_split, tmp_path / "faces", "e" * 64)
        report = _look(faces, (folder, champion[1]), "look")
    finally:
        answers.write_bytes(whole)
    assert "can't be known, so it is not compared" in report["verdict"]
    assert "psi_brightness" in report
    assert "psi_face_found" not in report

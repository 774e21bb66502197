"""Reasons to retrain, on registered models that nobody trained."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expressnet.config import options
from expressnet.config.decide import RetrainConfig
from expressnet.config.promote import PromoteConfig
from expressnet.data import manifest, seen_rows
from expressnet.registry import registry, sealed_files
from expressnet.runtime import code_version, storage
from expressnet.stages import decide, promote, register
from tests.made import made_models

OPTIONS = {**options.defaults("retrain"), "preset": "tiny", "epochs": 3}
NUM_IMAGES = 1000
NUM_TESTED = 210


def _rows(count, first=0):
    numbers = np.arange(first, first + count)
    sha256s = [storage.bytes_sha256(str(number).encode()) for number in numbers]
    return pd.DataFrame(
        {"sha256": sha256s, "label": [made_models.CLASSES[number % 7] for number in numbers], "source_split": "none"}
    )


def _write_data(store, rows, digest="d" * 64, **changes):
    folder = store / digest
    folder.mkdir(parents=True)
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(manifest.METADATA)
    pa.parquet.write_table(table, folder / manifest.FILE_NAME)
    info = {"dataset_id": "made", "dataset_digest": digest, "classes": made_models.CLASSES, **changes}
    storage.write_json(folder / "dataset.json", info)
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A champion of NUM_IMAGES images, the first NUM_TESTED of them its test split; its data are in the workspace."""
    tmp_path = tmp_path_factory.mktemp("workspace")
    settings = decide.Settings.of_run(OPTIONS).plain()
    model_dir, evaluation_dir = made_models.write(tmp_path / "made")
    provenance = storage.read_json(model_dir / "provenance.json") | {
        "dataset_digest": "d" * 64,
        "config": settings["train"],
        "split_config": settings["split"],
        "code_digest": code_version.digest("stages.train"),
        "earlier_code_digests": {
            "crop": code_version.digest("faces.crop_shards"),
            "split": code_version.digest("stages.split"),
        },
    }
    storage.write_json(model_dir / "provenance.json", provenance)
    storage.write_json(model_dir / "preprocess.json", {"size_px": 32, "crop": settings["crop"]})
    registration = register.run(
        str(model_dir), str(evaluation_dir), str(tmp_path / "registration"), str(tmp_path)
    ).plain()
    promoted = promote.run(
        registration["version"], "", str(tmp_path / "promotion"), str(tmp_path), PromoteConfig(intended_use="a test")
    ).plain()
    assert promoted["promoted"]
    _write_data(tmp_path / "datasets", _rows(NUM_IMAGES))
    return tmp_path


def _decide(workspace, data, *, changed=(), **config):
    settings = decide.Settings.of_run({**OPTIONS, **dict(changed)})
    out = workspace / "decisions" / str(len(list(workspace.glob("decisions/*"))))
    return decide.run(str(data), str(out), str(workspace), settings, RetrainConfig(**config)).plain()


def _content(workspace):
    folders = ("datasets", "mlartifacts", "registry", "kept", "models")
    files = [path for name in folders for path in sorted((workspace / name).rglob("*")) if path.is_file()]
    return {path: storage.file_sha256(path) for path in [*files, workspace / "mlflow.db"]}


def test_the_same_data_code_and_settings_are_nothing_to_do_and_leave_no_byte(workspace):
    before = _content(workspace)
    report = _decide(workspace, workspace / "datasets" / ("d" * 64), warm_start=True)
    assert not report["retrain"]
    assert report["reason"] == f"data, code and settings are those of the champion {report['champion']}"
    assert report["kept_file"] == report["initial_weights"] == ""
    assert _content(workspace) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"epochs": 4}, "settings: train epochs 3 -> 4"),
        ({"seed": 1, "margin": 0.2}, "settings: crop margin 0.1 -> 0.2; split seed 52 -> 1; train seed 52 -> 1"),
        ({"moe": "balance=0.01"}, "settings: train moe (none) -> balance=0.01"),
    ],
)
def test_other_settings_are_a_reason_and_named(workspace, options, reason):
    report = _decide(workspace, workspace / "datasets" / ("d" * 64), changed=options)
    assert report["retrain"]
    assert report["reason"] == reason


def test_other_code_is_a_reason_and_its_stage_is_named(workspace, monkeypatch):
    digest = code_version.digest
    monkeypatch.setattr(
        code_version, "digest", lambda *names: "0" * 64 if names == ("stages.split",) else digest(*names)
    )
    report = _decide(workspace, workspace / "datasets" / ("d" * 64))
    assert (report["retrain"], report["reason"]) == (True, "code of split")


@pytest.mark.parametrize(
    ("num_new", "config", "retrain"),
    [
        (10, {}, False),
        (10, {"min_new": 10}, True),
        (49, {}, False),
        (50, {}, True),
        (50, {"min_new": 51}, False),
        (0, {"min_new": 0}, True),
    ],
)
def test_few_new_images_are_a_reason_only_if_asked(workspace, tmp_path, num_new, config, retrain):
    data = _write_data(tmp_path / "now", _rows(NUM_IMAGES + num_new), digest="e" * 64)
    report = _decide(workspace, data, **config)
    assert (report["retrain"], report["num_new"]) == (retrain, num_new)
    assert report["reason"].startswith(f"data: +{num_new} -0 images, 0 labelled otherwise")
    assert ("MIN_NEW asks for" in report["reason"]) == (not retrain)


def test_images_that_went_and_other_labels_count_as_well():
    now = _rows(NUM_IMAGES, first=20)
    now.loc[:4, "label"] = "other"
    assert decide.compare_rows(_rows(NUM_IMAGES), now) == (20, 20, 5)


@pytest.mark.parametrize(("num_images", "needed"), [(100, 50), (1000, 50), (1001, 51), (300_000, 15_000)])
def test_by_default_a_twentieth_must_have_changed_and_fifty_at_least(num_images, needed):
    assert RetrainConfig().needed(num_images) == needed
    assert RetrainConfig(min_new=7).needed(num_images) == 7


def test_without_a_champion_everything_is_to_be_done(tmp_path):
    data = _write_data(tmp_path / "now", _rows(30))
    report = _decide(tmp_path, data)
    assert (report["retrain"], report["reason"], report["champion"]) == (
        True,
        "expressnet-made has no champion yet",
        "",
    )


def test_data_that_are_gone_cannot_be_counted_and_all_images_may_have_been_seen(workspace, tmp_path):
    (workspace / "datasets" / ("d" * 64)).rename(workspace / "datasets" / "elsewhere")
    data = _write_data(tmp_path / "now", _rows(NUM_IMAGES + 5), digest="e" * 64)
    try:
        report = _decide(workspace, data)
    finally:
        (workspace / "datasets" / "elsewhere").rename(workspace / "datasets" / ("d" * 64))
    assert report["reason"] == "data: others, and the champion's own are no longer here to count what changed"
    kept = seen_rows.read(report["kept_file"], report["kept_digest"], [pa.array(_rows(NUM_IMAGES + 5)["sha256"])])
    assert (kept.parts == seen_rows.SEEN).sum() == NUM_IMAGES + 5 - NUM_TESTED


def test_the_split_learns_what_the_champion_was_trained_and_tested_on(workspace, tmp_path):
    data = _write_data(tmp_path / "now", _rows(NUM_IMAGES + 100), digest="e" * 64)
    report = _decide(workspace, data)
    kept = seen_rows.read(report["kept_file"], report["kept_digest"], [pa.array(_rows(NUM_IMAGES + 100)["sha256"])])
    assert kept.version == report["champion"]
    expected = np.repeat([seen_rows.TESTED, seen_rows.SEEN, seen_rows.NEW], [NUM_TESTED, NUM_IMAGES - NUM_TESTED, 100])
    assert kept.parts.tolist() == expected.tolist()


def test_a_warm_start_names_the_sealed_weights_of_the_same_network(workspace, tmp_path):
    data = _write_data(tmp_path / "now", _rows(NUM_IMAGES + 100), digest="e" * 64)
    report = _decide(workspace, data, warm_start=True)
    champion = registry.Registry(workspace).champion_dir("expressnet-made")
    assert report["initial_weights"] == str(champion / "weights.safetensors")
    assert report["initial_sha256"] == storage.file_sha256(champion / "weights.safetensors")
    other = _decide(workspace, data, warm_start=True, changed={"preset": "small"})
    assert other["initial_weights"] == ""
    assert "It starts from scratch" in other["reason"]


def test_a_champion_that_was_damaged_is_refused(workspace):
    path = registry.Registry(workspace).champion_dir("expressnet-made") / "provenance.json"
    whole = path.read_text()
    path.write_text(whole.replace('"ours"', '"mine"'))
    try:
        with pytest.raises(sealed_files.DamagedError, match=r"provenance\.json is not what was registered"):
            _decide(workspace, workspace / "datasets" / ("d" * 64), min_new=3)
    finally:
        path.write_text(whole)


def test_a_setting_of_the_run_is_compared_by_its_value():
    settings = decide.Settings.of_run(OPTIONS)
    moved = settings._replace(split=dataclasses.replace(settings.split, split_file="/elsewhere/split.csv"))
    assert decide.differences(settings.plain(), moved.plain()) == []

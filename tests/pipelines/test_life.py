"""The whole life on one machine: train, promote, more data, retrain, promote or not, roll back, predict."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from expressnet.data import manifest, seen_rows
from expressnet.registry import model_card, registry
from expressnet.runtime import code_version, storage

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "demo"
NAME = "expressnet-demo"


def _pipelines(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _run(out, pipeline, data, *options):
    _pipelines("run", pipeline, "--out", out, "--data-uri", data, "--preset", "tiny", *options)
    return _stages(out)


def _stages(out):
    summary = json.loads((max((out / "runs").iterdir()) / "run_summary.json").read_text())
    assert summary["state"] == "SUCCEEDED"
    return {name: entry["report"] for name, entry in summary["stages"].items()}


def _write_demo(folder, num_rows):
    folder.mkdir(exist_ok=True)
    if not (folder / "images").exists():
        shutil.copytree(DEMO / "images", folder / "images")
    rows = (DEMO / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join(rows[: 1 + num_rows]) + "\n")


def _require_traced(out, version_name):
    """Follows a version back to the photographs, digest by digest."""
    models = registry.Registry(out)
    version = models.version(version_name)
    provenance = storage.read_json(models.model_dir(version.run_id) / "provenance.json")  # the seal is checked
    evaluation, predictions = models.evaluation(version.run_id)
    text, tags = models.text(version.run_id, registry.CARD_TEXT), models.tags(version)
    for name in model_card.DIGESTS:
        assert tags[name] == provenance[name]
        assert provenance[name] in text
    assert evaluation["split_digest"] == provenance["split_digest"]
    assert evaluation["model_digest"] == version.model_digest
    assert provenance["code_digest"] == code_version.digest("stages.train")
    assert provenance["config_digest"] == storage.json_digest(provenance["config"])
    rows = manifest.read(out / "datasets" / provenance["dataset_digest"])
    info = storage.read_json(out / "datasets" / provenance["dataset_digest"] / "dataset.json")
    assert manifest.dataset_digest(rows, info["dataset_id"], info["classes"]) == provenance["dataset_digest"]
    assert set(predictions["sha256"]) <= set(rows["sha256"])
    crops = [storage.read_json(path)["crops_digest"] for path in (out / "crops").glob("*/crops.json")]
    assert provenance["crops_digest"] in crops
    splits = [
        path.parent
        for path in (out / "artifacts").glob("*/split/splits/split.json")
        if storage.read_json(path)["split_digest"] == provenance["split_digest"]
    ]
    frame = manifest.read(splits[0])
    assert manifest.digest(frame, manifest.SPLIT_COLUMNS) == provenance["split_digest"]
    assert set(predictions["sha256"]) == set(frame["sha256"][frame["split"] == "test"])
    return provenance, predictions


def test_the_whole_life_of_a_model(tmp_path):
    out, data = tmp_path / "out", tmp_path / "demo"
    _write_demo(data, 20 * 7)
    first = _run(out, "train", data)
    assert first["promote"]["promoted"]
    old = first["register"]["version"]

    nothing = _run(out, "retrain", data)
    assert not nothing["decide"]["retrain"]
    assert set(nothing) == {"ingest", "decide"}

    _write_demo(data, 20 * 7 + 10)
    few = _run(out, "retrain", data)
    assert few["decide"]["reason"].startswith("data: +10 -0 images")
    assert set(few) == {"ingest", "decide"}

    _write_demo(data, 150 * 7)
    grown = _run(out, "retrain", data)
    assert grown["decide"]["num_new"] == 130 * 7
    assert grown["drift"]["num_new"] == 130 * 7
    assert grown["register"]["is_new"]
    promotion = grown["promote"]
    assert promotion["promoted"], promotion["reason"]  # of seven times the people
    assert promotion["gain_low"] > 0
    assert "it may have seen some" not in promotion["reason"]
    new = grown["register"]["version"]
    assert registry.Registry(out).champion(NAME)["version"] == new

    again = _run(out, "retrain", data, "--warm-start")
    assert set(again) == {"ingest", "decide"}
    assert again["decide"]["reason"].endswith(f"are those of the champion {new}")

    _pipelines("rollback", "--out", out, "--reason", "a test of the way back")
    assert registry.Registry(out).champion(NAME)["version"] == old

    _pipelines("predict", DEMO / "images" / "p149_happy.jpg", "--out", out)
    answer = _stages(out)["predict"]
    assert (answer["version"], answer["num_predicted"]) == (old, 1)
    assert list(pd.read_parquet(answer["table_path"])["file"]) == ["p149_happy.jpg"]

    history = _pipelines("history", "--out", out)
    assert [line.split()[2] for line in history.splitlines()[:3]] == ["promoted", "promoted", "rolled"]
    assert history.endswith("the history is whole\n")

    _, tested = _require_traced(out, old)
    provenance, tested_later = _require_traced(out, new)
    assert provenance["kept_from"] == old
    # What the first champion was tested on is tested on again; what it was trained on is not.
    first_rows = manifest.read(out / "datasets" / first["ingest"]["dataset_digest"])
    assert set(tested_later["sha256"]) & set(first_rows["sha256"]) == set(tested["sha256"])
    path = next((out / seen_rows.FOLDER).glob("*.parquet"))
    assert set(pd.read_parquet(path)["sha256"]) == set(first_rows["sha256"])

"""Whole runs on look-alikes of the public data sets, from an archive and from a bucket."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from expressnet.data import manifest
from expressnet.runtime import storage
from expressnet.sources import bucket
from tests import look_alikes
from tests.made import object_store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def _run(out, dataset, data_uri):
    command = [sys.executable, "-m", "pipelines", "run", "train", "--dataset", dataset, "--data-uri", str(data_uri)]
    options = ["--accept-licence", "--preset", "tiny", "--epochs", "3", "--out", str(out)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (info,) = (out / "datasets").glob("*/dataset.json")
    return done.stdout, storage.read_json(info), manifest.read(info.parent)


def test_rafdb_from_a_zip_becomes_a_registered_model(tmp_path):
    look_alikes.rafdb_official(tmp_path / "tree", 30, 12)
    archive = shutil.make_archive(str(tmp_path / "rafdb"), "zip", tmp_path / "tree")
    said, info, rows = _run(tmp_path / "out", "rafdb", archive)
    assert "promoted" in said
    assert (info["dataset_id"], info["layout"]) == ("rafdb", "official, Image/aligned")
    assert info["licence_accepted"]
    assert rows["source_split"].value_counts().to_dict() == {"train": 210, "test": 84}
    assert rows["attributes"].str.contains('"gender"').all()
    assert list((tmp_path / "out" / "spool").iterdir()) == []


def test_affectnet_from_a_bucket_becomes_a_registered_model_and_is_read_once(tmp_path):
    look_alikes.affectnet_kaggle(tmp_path / "tree", 40)
    with object_store.running() as url:
        with contextlib.closing(bucket.client()) as client:
            client.create_bucket("faces")
            for path in (tmp_path / "tree").rglob("*.*"):
                name = f"affectnet/{path.relative_to(tmp_path / 'tree')}"
                client.bucket("faces").blob(name).upload_from_filename(path)
        os.environ["STORAGE_EMULATOR_HOST"] = url
        said, info, rows = _run(tmp_path / "out", "affectnet8", "gs://faces/affectnet")
        again, _, _ = _run(tmp_path / "out", "affectnet8", "gs://faces/affectnet")
    assert "promoted" in said
    assert info["dataset_id"] == "affectnet8@kaggle"
    assert len(rows) == info["num_examples"] == 320
    assert rows["generation"].str.isdigit().all()
    assert "gs://faces/affectnet lists what it listed before" in again

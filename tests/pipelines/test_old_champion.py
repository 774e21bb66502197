"""A champion of before every module moved goes on: made by the code of then, put to work by that of today."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from expressnet.config.predict import ServeConfig
from expressnet.faces import blazeface
from expressnet.registry import chosen_model, registry
from expressnet.web import app
from pipelines.__main__ import main

ROOT = Path(__file__).parents[2]
BEFORE = "897bfe13b3da338feae19eb59f64172185eafecb"
PHOTO = ROOT / "data" / "demo" / "images" / "p001_happy.jpg"
pytestmark = pytest.mark.slow


def _train(code, out, seed):
    """Trains with the code in a folder, into a workspace."""
    command = [sys.executable, "-m", "pipelines", "run", "train", "--preset", "tiny", "--epochs", "4"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(code),
        blazeface.MODELS_DIR_VARIABLE: str(ROOT / ".models" / "blazeface"),
    }
    done = subprocess.run(
        [*command, "--seed", str(seed), "--out", str(out)],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace of then with a champion, and its version."""
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("the history of this checkout does not reach back to before the move: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder / "code", filter="data")  # our own files
    _train(folder / "code", folder / "out", seed=1)
    return folder / "out", registry.Registry(folder / "out").champion("expressnet-demo")["version"]


def test_it_predicts(workspace, capsys):
    out, version = workspace
    assert main(["predict", str(PHOTO), "--out", str(out)]) == 0
    assert version in capsys.readouterr().out
    (table,) = out.glob("predictions/*/predictions.parquet")
    assert pd.read_parquet(table)["face_found"].tolist() == [True]


def test_it_serves(workspace):
    out, version = workspace
    config = ServeConfig()
    chosen = chosen_model.load(out, config)
    oracle = app.Oracle(chosen, config)
    try:
        answer = oracle.answer(PHOTO.read_bytes())
    finally:
        oracle.stop()
    assert chosen.version == version
    assert json.dumps(answer)


def test_it_is_exported(workspace, tmp_path):
    assert main(["export", "--out", str(workspace[0]), "--to", str(tmp_path / "exported")]) == 0
    assert (tmp_path / "exported" / "model.tflite").exists()


def test_it_says_how_to_reproduce_it_and_that_the_code_is_another(workspace, capsys):
    out, version = workspace
    assert main(["reproduce", "--version", version, "--out", str(out)]) == 1
    said = capsys.readouterr().out
    assert "make run PIPELINE=train DATASET=demo PROTOCOL=honest SEED=1 PRESET=tiny EPOCHS=4" in said
    assert "code          ANOTHER" in said


def test_a_challenger_of_today_is_compared_with_it_and_a_rollback_leads_back(workspace, capsys):
    out, version = workspace
    _train(ROOT, out, seed=2)
    (decision,) = [
        json.loads(path.read_text())
        for path in out.glob("artifacts/*/promote/promotion/promotion.json")
        if json.loads(path.read_text())["champion_before"]
    ]
    assert decision["champion_before"] == version
    assert {"gain_value", "gain_low", "gain_high", "mcnemar_p"} <= set(decision)
    if decision["promoted"]:
        assert main(["rollback", "--reason", "a test", "--out", str(out)]) == 0
    assert main(["history", "--out", str(out)]) == 0
    assert "the history is whole" in capsys.readouterr().out
    assert registry.Registry(out).champion("expressnet-demo")["version"] == version

"""Predictions through the command line and the compiled graph."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kfp.compiler import Compiler

from pipelines import catalog
from pipelines.__main__ import main

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "data" / "demo" / "images"


def test_the_graph_is_one_task_that_is_always_asked(tmp_path):
    Compiler().compile(catalog.load("predict"), str(tmp_path / "predict.yaml"))
    graph = yaml.safe_load((tmp_path / "predict.yaml").read_text())
    tasks = graph["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert list(tasks) == ["predict"]
    assert "enableCache" not in tasks["predict"]["cachingOptions"]
    assert "summary" in graph["root"]["dag"]["tasks"]
    parameters = graph["root"]["inputDefinitions"]["parameters"]
    assert {name: spec.get("isOptional", False) for name, spec in parameters.items()} == {
        "workspace": False,
        "input_uri": False,
        "model": True,
        "version": True,
        "gallery": True,
    }


def test_a_run_ends_with_a_table_and_a_summary(champion, tmp_path, capsys):
    out = shutil.copytree(champion[0], tmp_path / "out", ignore=shutil.ignore_patterns("mlartifacts"))
    shutil.copy(DEMO / "p001_happy.jpg", tmp_path)
    assert main(["predict", str(tmp_path / "p001_happy.jpg"), "--out", str(out), "--gallery"]) == 0
    said = capsys.readouterr().out
    summary = json.loads(next((out / "runs").glob("*-predict/run_summary.json")).read_text())
    report = summary["stages"]["predict"]["report"]
    assert (report["num_files"], report["num_predicted"], report["version"]) == (1, 1, champion[1])
    assert f"1 files, a face in 1, 0 without an answer; {report['model_name']} {champion[1]}" in said
    assert report["table_path"] in said
    assert report["gallery_path"] in said
    assert list(pd.read_parquet(report["table_path"])["file"]) == ["p001_happy.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", ""], "INPUT= names the photographs"),
        (["predict", "x", "--out", "nowhere"], "There is no workspace at"),
        (["serve", "--out", "nowhere", "--port", "0"], "There is no workspace at"),
        (["serve", "--port", "70000"], "port must be in 0..65535; got 70000"),
    ],
)
def test_wrong_words_end_with_1_and_a_reason(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_is_served_until_it_is_interrupted(champion):
    command = [sys.executable, "-u", "-m", "pipelines", "serve", "--out", str(champion[0]), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        line = next(line for line in running.stdout if "http://127.0.0.1:" in line)
        address = line.partition("at ")[2].split()[0]
        with urllib.request.urlopen(address) as page:
            assert champion[1] in page.read().decode()
        running.send_signal(signal.SIGINT)
        assert running.stdout.read().splitlines()[-1].endswith("stopped")
    assert running.returncode == 0

"""The pipeline retrain: its graph, and runs that find something or nothing to do."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp.compiler import Compiler

from expressnet.registry import registry
from expressnet.runtime import storage
from pipelines import catalog
from pipelines.__main__ import main

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "data" / "demo"
TRAINING = {"validate", "crop", "drift", "split", "train", "evaluate", "register", "promote"}


@pytest.fixture(scope="module")
def ir(tmp_path_factory):
    path = tmp_path_factory.mktemp("ir") / "retrain.yaml"
    Compiler().compile(catalog.load("retrain"), str(path))
    return yaml.load(path.read_text(), yaml.CSafeLoader)


@pytest.fixture(scope="module")
def conditional(ir):
    """The tasks that run only where there is something to do."""
    (component,) = (part for name, part in ir["components"].items() if name.startswith("comp-condition"))
    return component["dag"]["tasks"]


def test_everything_costly_hangs_on_one_boolean(ir, conditional):
    tasks = ir["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    ((name, condition),) = ((name, task) for name, task in tasks.items() if name.startswith("condition"))
    assert set(tasks) == {"ingest", "decide", name}
    assert set(conditional) == TRAINING
    assert condition["triggerPolicy"]["condition"].endswith("== true")
    outputs = ir["components"]["comp-decide"]["outputDefinitions"]["parameters"]
    assert outputs["Output"]["parameterType"] == "BOOLEAN"


@pytest.mark.parametrize("graph", ["train", "retrain"])
def test_both_graphs_share_their_parameters_and_the_stages_after_ingest(ir, conditional, graph, tmp_path):
    Compiler().compile(catalog.load(graph), str(tmp_path / "ir.yaml"))
    found = yaml.safe_load((tmp_path / "ir.yaml").read_text())
    parameters = found["root"]["inputDefinitions"]["parameters"]
    assert set(ir["root"]["inputDefinitions"]["parameters"]) - set(parameters) <= {"min_new", "warm_start", "on_drift"}
    for name in TRAINING - {"drift"}:
        assert found["components"][f"comp-{name}"] == ir["components"][f"comp-{name}"]


def test_split_waits_for_drift_and_both_look_at_the_champion(ir, conditional):
    assert "drift" in conditional["split"]["dependentTasks"]
    assert conditional["drift"]["dependentTasks"] == ["crop"]
    for tasks, name in ((conditional, "drift"), (ir["components"]["comp-exit-handler-1"]["dag"]["tasks"], "decide")):
        assert not tasks[name]["cachingOptions"].get("enableCache", False)


def test_options_of_retraining_are_refused_where_they_would_do_nothing(capsys):
    assert main(["run", "train", "--min-new", "3", "--on-drift", "stop"]) == 2
    assert "Unknown option: --min-new" in capsys.readouterr().err


def _demo(folder, num_people):
    """The demo set with the first people only."""
    folder.mkdir(exist_ok=True)
    if not (folder / "images").exists():
        shutil.copytree(DEMO / "images", folder / "images")
    rows = (DEMO / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join(rows[: 1 + 7 * num_people]) + "\n")
    return folder


def _retrain(out, data, *options):
    command = [sys.executable, "-m", "pipelines", "run", "retrain", "--out", str(out), "--data-uri", str(data)]
    command += ["--preset", "tiny", "--epochs", "1", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = max((out / "runs").iterdir())
    return json.loads((folder / "run_summary.json").read_text()), (folder / "summary.md").read_text(), done.stdout


def _content(out):
    names = ("datasets", "crops", "mlartifacts", "registry", "kept", "models")
    files = [path for name in names for path in sorted((out / name).rglob("*")) if path.is_file()]
    return {path: storage.file_sha256(path) for path in [*files, out / "mlflow.db"]}


@pytest.mark.slow
def test_the_first_run_makes_a_champion_and_the_second_has_nothing_to_do(tmp_path):
    out, data = tmp_path / "out", _demo(tmp_path / "demo", 20)
    first, page, _ = _retrain(out, data)
    assert set(first["stages"]) == TRAINING | {"ingest", "decide"}
    assert "| retraining | yes: expressnet-demo has no champion yet |" in page
    assert "| drift | no champion to compare with |" in page
    champion = registry.Registry(out).champion("expressnet-demo")
    before = _content(out)
    second, page, said = _retrain(out, data)
    assert (second["state"], set(second["stages"])) == ("SUCCEEDED", {"ingest", "decide"})
    reason = f"nothing to do: data, code and settings are those of the champion {champion['version']}"
    assert f"| retraining | {reason} |" in page
    assert reason in said
    assert _content(out) == before


@pytest.mark.slow
def test_a_challenger_that_was_refused_is_not_made_twice(tmp_path):
    out, data = tmp_path / "out", _demo(tmp_path / "demo", 30)
    _retrain(out, data)
    grown = _demo(shutil.copytree(data, tmp_path / "grown"), 40)
    challenger, _, _ = _retrain(out, grown, "--warm-start")
    again, _, _ = _retrain(out, grown, "--warm-start")
    assert not challenger["stages"]["promote"]["report"]["promoted"], "one epoch more of the same is no certain gain"
    assert not again["stages"]["register"]["report"]["is_new"]
    assert again["stages"]["train"]["reused"]

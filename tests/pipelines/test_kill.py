"""A run that is killed in every stage, one after the other, and finished in the end."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = ("ingest", "validate", "crop", "split", "train", "evaluate", "register", "promote")
CACHED = STAGES[1:6]


def _command(out):
    options = ("--preset", "tiny", "--limit", "210", "--epochs", "3", "--out", str(out))
    return [sys.executable, "-m", "pipelines", "run", "train", *options]


def _kill_in(stage, out, *, whole_group):
    """Starts a run and kills it as soon as it says that it is in `stage`."""
    with subprocess.Popen(
        _command(out),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:
        for line in running.stdout:
            if line.startswith(f"{stage} ") and "unchanged" not in line:
                break
        if whole_group:
            os.killpg(running.pid, signal.SIGKILL)
        else:
            running.kill()
        running.stdout.close()
    assert running.returncode == -signal.SIGKILL


def _finished_tasks(out):
    logs = "".join(path.read_text() for path in sorted(out.glob("runs/*/run.log")))
    return re.findall(r"Task \S*?'(\w+)'\S* finished with status \S*SUCCESS", logs)


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False], ids=["all processes", "the parent only"])
def test_a_run_killed_in_every_stage_completes_and_does_nothing_twice(tmp_path, whole_group):
    out = tmp_path / "out"
    for stage in STAGES:
        _kill_in(stage, out, whole_group=whole_group)
    done = subprocess.run(_command(out), cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    finished = _finished_tasks(out)
    assert {stage: finished.count(stage) for stage in CACHED} == dict.fromkeys(CACHED, 1)
    datasets = [path.name for path in (out / "datasets").iterdir() if path.is_dir()]
    summary = json.loads((max((out / "runs").iterdir()) / "run_summary.json").read_text())
    assert datasets == [summary["stages"]["ingest"]["report"]["dataset_digest"]]
    assert not list(out.glob("artifacts/**/*.partial"))
    assert len(list((out / "registry").glob("*/champion.json"))) == 1


@pytest.mark.slow
def test_the_dataset_digest_of_a_killed_run_is_that_of_an_unbroken_one(tmp_path):
    digests = []
    for name in ("killed", "unbroken"):
        out = tmp_path / name
        if name == "killed":
            _kill_in("ingest", out, whole_group=True)
        assert subprocess.run(_command(out), cwd=ROOT, capture_output=True, check=False, timeout=600).returncode == 0
        summary = json.loads((max((out / "runs").iterdir()) / "run_summary.json").read_text())
        report = summary["stages"]["train"]["report"]
        digests.append((summary["stages"]["ingest"]["report"]["dataset_digest"], report["model_digest"]))
    assert digests[0] == digests[1]

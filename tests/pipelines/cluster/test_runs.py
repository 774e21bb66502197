"""status, logs, cancel, compare: what people ask about runs."""

import contextlib
import json

import kfp_server_api as api
import pytest

from expressnet.sources import bucket
from pipelines.__main__ import main
from tests.made import object_store
from tests.pipelines.cluster import kube_stand_in
from tests.pipelines.cluster.stand_in import task

PODS = "/api/v1/namespaces/expressnet/pods"


def _add(endpoint, run_id, state, **parameters):
    endpoint.pipelines["p"] = api.V2beta1Pipeline(pipeline_id="p", display_name="expressnet-train", name="p")
    endpoint.runs[run_id] = api.V2beta1Run(
        run_id=run_id,
        display_name=f"train-demo-{run_id}",
        state=state,
        description=f"commit={run_id}",
        pipeline_version_reference=api.V2beta1PipelineVersionReference(pipeline_id="p", pipeline_version_id="v"),
        runtime_config=api.V2beta1RuntimeConfig(parameters=parameters, pipeline_root="gs://faces/runs"),
        run_details=api.V2beta1RunDetails(
            task_details=[*task("ingest", "SUCCEEDED"), *task("train", state, started=3, minutes=12.5)]
        ),
    )


def test_status_without_a_run_lists_the_latest(endpoint, capsys):
    _add(endpoint, "aaa1", "SUCCEEDED")
    _add(endpoint, "bbb2", "RUNNING")
    assert main(["status"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["aaa1", "train-demo-aaa1", "SUCCEEDED"],
        ["bbb2", "train-demo-bbb2", "RUNNING"],
    ]


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("RUNNING", 0), ("FAILED", 1)])
def test_status_of_a_run_lists_its_steps_and_exits_with_its_truth(endpoint, capsys, state, code):
    _add(endpoint, "aaa1", state)
    assert main(["status", "train-demo-a"]) == code
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[4:]]
    assert rows[0] == ["ingest", "succeeded", "1.0"]
    assert rows[1][:2] == ["train", state.lower()]
    assert state == "RUNNING" or rows[1][2] == "12.5"


@pytest.mark.parametrize(
    ("parts", "crop", "state", "minutes"),
    [
        (("SUCCEEDED", "RUNNING", "PENDING"), None, "running", None),
        (("SUCCEEDED", "FAILED", "RUNNING"), None, "failed", None),
        (("SUCCEEDED", "SUCCEEDED", "SUCCEEDED"), None, "succeeded", "5.0"),
        (("SUCCEEDED", "FAILED", "SUCCEEDED"), "SUCCEEDED", "succeeded", "5.0"),  # an attempt, of a part that went on
    ],
)
def test_the_parts_of_a_loop_are_one_step(endpoint, capsys, parts, crop, state, minutes):
    _add(endpoint, "aaa1", "RUNNING")
    details = [detail for start, part in enumerate(parts) for detail in task("cut", part, started=start, minutes=3)]
    details += task("crop", crop, started=9) if crop else []
    endpoint.runs["aaa1"].run_details = api.V2beta1RunDetails(task_details=details)
    assert main(["status", "aaa1"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[4:]]
    assert [row[:2] for row in rows] == [["cut", state], *([["crop", "succeeded"]] if crop else [])]
    assert minutes is None or rows[0][2] == minutes


def test_an_unclear_name_lists_what_it_fits(endpoint, capsys):
    _add(endpoint, "aaa1", "FAILED")
    _add(endpoint, "aaa2", "FAILED")
    assert main(["status", "aaa"]) == 1
    assert "RUN=aaa must name one run; it fits 2: train-demo-aaa1, train-demo-aaa2" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_said(endpoint, capsys):
    assert main(["cancel", "zzz"]) == 1
    assert "does not have this" in capsys.readouterr().err


def test_cancel_ends_a_run_that_is_under_way_only(endpoint, capsys):
    _add(endpoint, "aaa1", "RUNNING")
    _add(endpoint, "bbb2", "SUCCEEDED")
    assert main(["cancel", "aaa1"]) == 0
    assert endpoint.runs["aaa1"].state == "CANCELING"
    assert main(["cancel", "bbb2"]) == 1
    assert "train-demo-bbb2 is succeeded" in capsys.readouterr().err


def _pod(name, minute, run_id="aaa1", stage="train"):
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-11-26T03:{minute:02}:00Z",
            "labels": {"pipeline/runid": run_id, "expressnet/stage": stage},
        },
        "status": {"phase": "Failed"},
    }


def test_logs_show_every_attempt_of_one_step_of_one_run_the_latest_last(endpoint, tmp_path, capsys, monkeypatch):
    _add(endpoint, "aaa1", "FAILED")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("DB_PASSWORD", "hunter2-hunter2")
    with kube_stand_in.running(tmp_path / "kubeconfig") as cluster:
        cluster.add_list(
            PODS, _pod("second", 20), _pod("first", 10), _pod("x", 1, run_id="b"), _pod("y", 1, stage="crop")
        )
        cluster.add(f"{PODS}/first/log", log="out of memory")
        cluster.add(f"{PODS}/second/log", log="epoch 3, password hunter2-hunter2")
        assert main(["logs", "aaa1", "train"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "--- first: Failed",
            "out of memory",
            "--- second: Failed",
            "epoch 3, password [secret]",
        ]
        cluster.add_list(PODS)
        assert main(["logs", "aaa1", "crop"]) == 1
    assert "has no pod of step crop" in capsys.readouterr().err


def test_compare_shows_what_differs_and_the_figures(endpoint, capsys, monkeypatch):
    _add(endpoint, "aaa1", "SUCCEEDED", seed=52, preset="small")
    _add(endpoint, "bbb2", "SUCCEEDED", seed=53, preset="small")
    figures = {"accuracy": 0.7, "macro_precision": 0.6, "macro_recall": 0.5, "macro_f1": 0.55}
    content = json.dumps({"metrics": {name: {"value": value} for name, value in figures.items()}})
    with object_store.running() as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        with contextlib.closing(bucket.client()) as client:
            client.create_bucket("faces")
            path = "runs/expressnet-train/aaa1/evaluate/x/evaluation/evaluation.json"
            client.bucket("faces").blob(path).upload_from_string(content)
        assert main(["compare", "aaa1", "bbb2"]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    assert rows["seed"] == ["52", "53"]
    assert rows["commit"] == ["aaa1", "bbb2"]
    assert "preset" not in rows
    assert rows["macro_f1"] == ["0.5500", "-"]
    assert "no evaluation below the run's own folder" in said

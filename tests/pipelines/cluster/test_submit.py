"""From the command line to a run on the endpoint, and back with its truth."""

import json

import pytest
import yaml

from expressnet.runtime import storage
from pipelines import image_lock
from pipelines.__main__ import main
from pipelines.cluster import ClusterError, package
from tests.pipelines.cluster.stand_in import Fault, task

SUBMIT = ("submit", "train", "--dataset", "demo", "--preset", "tiny")
STEPS = ("ingest", "validate", "crop", "split", "train", "evaluate", "register", "promote", "summary")


def _only(found):
    (value,) = found.values()
    return value


def test_a_run_is_started_with_what_was_asked_for(endpoint, capsys, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_BUCKET", "gs://faces/fer")
    assert main([*SUBMIT, "--protocol", "paper", "--profile", "gke-l4x4"]) == 0
    run = _only(endpoint.runs)
    parameters = run.runtime_config.parameters
    assert (parameters["dataset"], parameters["preset"], parameters["protocol"]) == ("demo", "tiny", "paper")
    assert parameters["workspace"] == "/workspace"
    assert parameters["checkpoint_uri"] == "gs://faces/fer/checkpoints"
    assert run.runtime_config.pipeline_root == "gs://faces/fer/runs"
    assert run.service_account == "expressnet-registry"
    assert run.display_name.startswith("train-demo-20")
    labels = dict(line.split("=") for line in run.description.splitlines())
    assert labels.pop("commit")
    assert labels == {"dataset": "demo", "preset": "tiny", "protocol": "paper", "profile": "gke-l4x4"}
    assert f"{endpoint.url}/#/runs/details/{run.run_id}" in capsys.readouterr().out
    assert _only(endpoint.experiments).display_name == "expressnet-demo"


def test_what_is_uploaded_is_the_ir_with_its_platform_under_its_digest(endpoint):
    assert main([*SUBMIT, "--profile", "gke-l4x4"]) == 0
    ((version, text),) = endpoint.packages.items()
    assert storage.bytes_sha256(text.encode()).startswith(version)
    pipeline, platform = yaml.load_all(text, yaml.CSafeLoader)
    assert pipeline["pipelineInfo"]["name"] == "expressnet-train"
    assert platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]["nodeSelector"]


def test_the_same_code_is_the_same_version_and_another_profile_or_preset_is_another(endpoint, capsys):
    for profile, preset in [("cpu", "tiny"), ("cpu", "tiny"), ("onprem-4gpu", "tiny"), ("cpu", "small")]:
        assert main([*SUBMIT, "--profile", profile, "--preset", preset]) == 0
    assert len(endpoint.pipelines) == 1
    assert sorted(version.tags["preset"] for version in endpoint.versions.values()) == ["small", "tiny", "tiny"]
    assert len(endpoint.runs) == 4
    assert capsys.readouterr().out.count("was there before") == 1


def _pod_labels(text):
    """Returns our labels of every pod of a compiled pipeline, by the stage."""
    _, platform = yaml.load_all(text, yaml.CSafeLoader)
    pods = [
        one["podMetadata"]["labels"]
        for one in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    ]
    return {pod.pop("expressnet/stage"): pod for pod in pods}


def test_every_pod_is_labelled_with_what_the_run_is_about_and_the_version_is_tagged_alike(endpoint):
    assert main([*SUBMIT, "--protocol", "paper", "--profile", "gke-l4x4"]) == 0
    about = {"dataset": "demo", "preset": "tiny", "protocol": "paper"}
    pods = _pod_labels(_only(endpoint.packages))
    assert set(pods) == {*STEPS, "cut"}
    for labels in pods.values():
        assert labels.pop("expressnet/step-class") in image_lock.STEP_CLASSES
        assert labels == {f"expressnet/{name}": value for name, value in about.items()}
    assert _only(endpoint.versions).tags == about


def test_the_commit_of_a_label_is_that_of_the_images_and_absent_where_nobody_knows_it():
    about = {"dataset": "demo", "preset": "small", "protocol": "honest"}
    assert package.run_labels("train", {}, {}) == about
    assert package.run_labels("train", {}, {"commit": "0123456789abcdef"}) == {**about, "commit": "0123456789ab"}
    assert package.run_labels("predict", {"input_uri": "gs://b/x"}, {"commit": ""}) == {}


@pytest.mark.parametrize("value", ["my set", "-demo", "demo-", "a" * 64, "gs://b"])
def test_what_is_no_label_of_kubernetes_is_refused_with_its_value(value):
    with pytest.raises(ClusterError, match=f"preset must be a label of Kubernetes.*got '{value}'"):
        package.run_labels("train", {"preset": value}, {})


def test_without_cache_every_step_runs(endpoint):
    assert main([*SUBMIT, "--no-cache"]) == 0
    pipeline = next(yaml.load_all(_only(endpoint.packages), yaml.CSafeLoader))
    tasks = [
        task for graph in pipeline["components"].values() for task in graph.get("dag", {}).get("tasks", {}).values()
    ]
    assert len(tasks) == 8
    assert not [task for task in tasks if task["cachingOptions"].get("enableCache")]


@pytest.mark.parametrize("place", ["pipelines/upload_version", "runs", "experiments", "pipelines"])
def test_a_lost_answer_leads_to_one_run_of_one_version(endpoint, place):
    endpoint.faults.append(Fault(f"POST .*/{place}$", 502, after=True))
    assert main(list(SUBMIT)) == 0
    assert len(endpoint.runs) == len(endpoint.versions) == len(endpoint.experiments) == len(endpoint.pipelines) == 1


def test_on_a_multi_user_endpoint_experiments_are_the_namespaces(endpoint, monkeypatch):
    endpoint.multi_user = True
    monkeypatch.setenv("EXPRESSNET_NAMESPACE", "fer-team")
    assert main(list(SUBMIT)) == 0
    assert _only(endpoint.experiments).namespace == "fer-team"


def test_waiting_shows_the_steps_and_ends_with_success(endpoint, capsys):
    first = [*task("ingest", "SUCCEEDED"), *task("crop", "SUCCEEDED", started=1, reused=True)]
    endpoint.course = [
        ("RUNNING", task("ingest", "RUNNING")),
        ("RUNNING", [*first, *task("train", "RUNNING", started=2)]),
        ("SUCCEEDED", [*first, *task("train", "SUCCEEDED", started=2, minutes=90)]),
    ]
    assert main([*SUBMIT, "--wait"]) == 0
    said = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()[3:]]
    assert said == [
        ["ingest", "running"],
        ["ingest", "succeeded after 1.0 min"],
        ["crop", "reused after 1.0 min"],
        ["train", "running"],
        ["train", "succeeded after 90.0 min"],
        ["run", "succeeded"],
    ]


def test_waiting_ends_with_the_failed_step_and_the_way_to_its_log(endpoint, capsys):
    endpoint.course = [("FAILED", [*task("ingest", "SUCCEEDED"), *task("validate", "FAILED")])]
    assert main([*SUBMIT, "--wait"]) == 1
    run_id = _only(endpoint.runs).run_id
    assert f"failed: step validate; `make logs RUN={run_id} STEP=validate`" in capsys.readouterr().out


def test_an_exit_handlers_success_hides_no_failed_step(endpoint):
    endpoint.course = [("SUCCEEDED", [*task("train", "FAILED"), *task("summary", "SUCCEEDED")])]
    assert main([*SUBMIT, "--wait"]) == 1


def test_a_cancelled_run_is_no_success(endpoint):
    endpoint.course = [("CANCELED", task("ingest", "CANCELED"))]
    assert main([*SUBMIT, "--wait"]) == 1


def test_waiting_survives_an_endpoint_that_restarts(endpoint):
    endpoint.faults.append(Fault("GET .*/runs/[^/]+$", 503, times=3))
    endpoint.course = [("SUCCEEDED", task("ingest", "SUCCEEDED"))]
    assert main([*SUBMIT, "--wait"]) == 0


def test_a_dry_run_prints_the_plan_and_asks_nobody(capsys, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_HOST", "http://127.0.0.1:1")
    assert main([*SUBMIT, "--dry-run", "--profile", "gke-t4x4-spot"]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line for line in said.splitlines() if line.split() and line.split()[0] in STEPS}
    assert set(rows) == set(STEPS)
    assert all(
        word in rows["train"] for word in ("gpu (spot)", "12-15", "40Gi-52Gi", "4 nvidia-tesla-t4", " 21 ", "48 h")
    )
    assert rows["ingest"].endswith("never")
    assert rows["crop"].endswith("if unchanged")
    assert "cut (16 parts, 8 at a time)" in said
    # 48 h of 4 GPUs; 48 h at 0.62 and (2 x 12 + 5 x 2 + 1/6 + 16 x 4) h at 0.39 USD.
    assert "at most 192 GPU-hours and 68.05 USD" in said


def test_the_plan_lists_a_step_behind_what_it_waits_for(capsys):
    assert main([*SUBMIT, "--dry-run", "--profile", "onprem-4gpu"]) == 0
    said = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.split()]
    assert tuple(name for name in said if name in (*STEPS, "cut")) == (*STEPS[:2], "cut", *STEPS[2:])


def test_tags_are_refused_by_a_submit_and_noted_by_a_plan(endpoint, capsys, monkeypatch):
    monkeypatch.delenv("ALLOW_TAGS")
    assert main(list(SUBMIT)) == 1
    assert "must be pinned as name@sha256:" in capsys.readouterr().err
    assert endpoint.requests == []
    assert main([*SUBMIT, "--dry-run"]) == 0
    assert "images are not pinned, so a real submit is refused" in capsys.readouterr().out


def _lock(path, **changes):
    pinned = {f"python-{name}": f"registry.test/python-{name}@sha256:{'0' * 64}" for name in image_lock.STEP_CLASSES}
    lock = {"commit": "", "lock_sha256": storage.file_sha256(image_lock.ROOT / "uv.lock"), "images": pinned}
    path.write_text(json.dumps({**lock, **changes}))


def test_the_lock_pins_the_images(endpoint, tmp_path, monkeypatch):
    monkeypatch.delenv("ALLOW_TAGS")
    _lock(tmp_path / "images.lock.json")
    assert main(list(SUBMIT)) == 0
    assert f"registry.test/python-train@sha256:{'0' * 64}" in _only(endpoint.packages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lock_sha256": "1" * 64}, "the images were built from another uv.lock"),
        ({"commit": "0" * 40}, "git does not know the images' commit 00000000"),
    ],
)
def test_images_of_other_code_are_refused(endpoint, tmp_path, capsys, changes, message):
    _lock(tmp_path / "images.lock.json", **changes)
    assert main(list(SUBMIT)) == 1
    assert message in capsys.readouterr().err
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "folder", "--data-uri", "/home/me/faces"], "data_uri must be gs://... or lie below /workspace"),
        (["--dataset", "fer2013", "--data-uri", "gs://b/f.csv"], "must be acknowledged with ACCEPT_LICENCE=1"),
        (["--split-file", "split.csv"], "split.csv is not a file. Is it the split.csv that a split wrote?"),
        (["--profile", "mainframe"], "PROFILE must be one of cpu, gke-a100x4"),
    ],
)
def test_what_would_fail_on_a_node_is_refused_here(endpoint, capsys, options, message):
    assert main([*SUBMIT, *options]) == 1
    assert message in capsys.readouterr().err
    assert endpoint.requests == []

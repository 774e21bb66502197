"""A healthy cluster has no failed line; every single ailment is one, with its fix."""

import contextlib
import dataclasses
import json

import pytest

from expressnet.runtime import storage
from expressnet.sources import bucket
from pipelines import image_lock, profiles
from pipelines.__main__ import main
from pipelines.cluster import examinations, settings
from pipelines.cluster.findings import FAILED, OK, WARNING
from tests.pipelines.cluster import kube_stand_in
from tests.pipelines.cluster.stand_in import Fault

NAMESPACE = "/api/v1/namespaces/expressnet"
# Of a run: what its most trusted step needs, registry in train and train in predict.
ACCOUNTS = [f"{NAMESPACE}/serviceaccounts/expressnet-{name}" for name in ("registry", "train")]
CLAIM = f"{NAMESPACE}/persistentvolumeclaims/expressnet-workspace"
GPU_LABELS = {"cloud.google.com/gke-accelerator": "nvidia-l4"}


def _node(count):
    return {"metadata": {"name": "n", "labels": GPU_LABELS}, "status": {"allocatable": {"nvidia.com/gpu": str(count)}}}


def _quota(**hard):
    return {"metadata": {"name": "q"}, "status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}


@pytest.fixture
def healthy(endpoint, store, tmp_path, monkeypatch):
    """An endpoint, a cluster, an image registry and a bucket that have all that gke-l4x4 needs."""
    with kube_stand_in.running(tmp_path / "kubeconfig") as cluster:
        server = (tmp_path / "kubeconfig").read_text().split("http://")[1].split()[0]
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", store)
        monkeypatch.setenv("EXPRESSNET_BUCKET", "gs://faces/fer")
        digest = f"sha256:{'0' * 64}"
        pinned = {f"python-{name}": f"{server}/python-{name}@{digest}" for name in image_lock.STEP_CLASSES}
        lock = {"commit": "", "lock_sha256": storage.file_sha256(image_lock.ROOT / "uv.lock"), "images": pinned}
        (tmp_path / "images.lock.json").write_text(json.dumps(lock))
        for name in pinned:
            cluster.add(f"/v2/{name}/manifests/{digest}")
        cluster.add(NAMESPACE, metadata={"name": "expressnet"})
        for account in ACCOUNTS:
            cluster.add(account, metadata={"name": account.rsplit("/", 1)[-1]})
        cluster.add(CLAIM, spec={"accessModes": ["ReadWriteMany"]}, status={"phase": "Bound"})
        cluster.add_list("/api/v1/nodes", _node(4))
        cluster.add_list(
            f"{NAMESPACE}/resourcequotas", _quota(**{"requests.nvidia.com/gpu": "4", "requests.cpu": "100"})
        )
        cluster.add(f"{NAMESPACE}/endpoints/mlflow", subsets=[{"addresses": [{"ip": "10.0.0.1"}]}])
        yield endpoint, cluster


def _doctor(capsys):
    code = main(["doctor", "--profile", "gke-l4x4"])
    return code, capsys.readouterr().out


def test_a_healthy_cluster_has_only_good_lines(healthy, capsys):
    code, said = _doctor(capsys)
    assert code == 0, said
    lines = said.splitlines()
    assert lines[-1] == "0 failed, 0 warnings, 15 ok"
    assert "Kubeflow Pipelines, single-user, 2.17.0" in lines[0]
    for word in (
        "auth none",
        "namespace expressnet",
        "service account expressnet-registry",
        "get pods/log",
        "volume",
        "one has 4 of 4 nvidia.com/gpu",
        "quota",
        "http://mlflow:5000: 1 pods ready",
        "image python-train",
        "bucket faces: written with a precondition",
    ):
        assert word in said


def _ailment(cluster, tmp_path, name):
    if name == "image":
        cluster.objects.pop(f"/v2/python-train/manifests/sha256:{'0' * 64}")
    elif name == "lock":
        (tmp_path / "images.lock.json").unlink()
    elif name == "mode":
        cluster.objects[CLAIM]["spec"]["accessModes"] = ["ReadWriteOnce"]
        cluster.add_list("/api/v1/nodes", _node(4), _node(4))
    elif name == "pod":
        cluster.objects[CLAIM]["spec"]["accessModes"] = ["ReadWriteOncePod"]
    elif name == "gpus":
        cluster.add_list("/api/v1/nodes", _node(2))
    elif name == "quota":
        cluster.add_list(f"{NAMESPACE}/resourcequotas", _quota(**{"requests.memory": "64Gi"}))
    elif name == "registry":
        cluster.objects[f"{NAMESPACE}/endpoints/mlflow"]["subsets"] = []
    elif name == "right":
        cluster.denied.add("get pods/log")
    else:
        cluster.objects.pop({"account": ACCOUNTS[0], "volume": CLAIM, "namespace": NAMESPACE}[name])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("namespace", "namespace expressnet: not there  -> kubectl apply -k"),
        ("account", "service account expressnet-registry: not there  -> kubectl apply -k"),
        ("volume", "volume expressnet-workspace: not there"),
        ("mode", "expressnet-workspace is ReadWriteOnce, and there are 2 nodes  -> steps share it: it must be"),
        ("pod", "volume expressnet-workspace is ReadWriteOncePod  -> steps share it: it must be ReadWriteMany"),
        ("gpus", "one has 2 of 4 nvidia.com/gpu  -> a node with 4 nvidia-l4, or another PROFILE"),
        ("quota", "quota of expressnet: requests.memory: 6.87195e+10 of 64Gi free, 1.03079e+11 needed"),
        ("registry", "registry http://mlflow:5000: no pod is ready  -> kubectl -n expressnet get pods"),
        ("right", "no right to get pods/log in expressnet  -> needed for make logs"),
        ("image", "127.0.0.1:"),
        ("lock", "no images.lock.json  -> make images PUSH=1"),
    ],
)
def test_one_ailment_is_one_failed_line_with_its_fix(healthy, tmp_path, capsys, name, line):
    _ailment(healthy[1], tmp_path, name)
    code, said = _doctor(capsys)
    assert code == 1
    (failed,) = [text for text in said.splitlines() if text.startswith("FAILED")]
    assert line in failed


def test_a_pool_that_grows_from_zero_and_what_one_may_not_see_are_warnings(healthy, capsys):
    healthy[1].add_list("/api/v1/nodes")
    healthy[1].refused.add(NAMESPACE)
    code, said = _doctor(capsys)
    assert code == 0
    assert said.count("\nwarning") == 2


@pytest.mark.parametrize(
    ("refused", "reason"), [(False, "which the one node of this cluster can share"), (True, "may not count the nodes")]
)
def test_a_volume_for_one_node_is_a_warning_where_there_is_one(healthy, capsys, refused, reason):
    healthy[1].objects[CLAIM]["spec"]["accessModes"] = ["ReadWriteOnce"]
    if refused:
        healthy[1].refused.add("/api/v1/nodes")
    code, said = _doctor(capsys)
    assert code == 0
    (line,) = [text for text in said.splitlines() if text.startswith("warning volume")]
    assert reason in line


POLICY = f"/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/{examinations.POLICY}"
BINDING = POLICY.replace("policies", "policybindings")


def _policy(namespace):
    return {"matchConstraints": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}


@pytest.mark.parametrize(
    ("ailment", "states", "said"),
    [
        ("none", (OK, OK), "admission policy expressnet-step-accounts"),
        ("no policy", (FAILED, OK), "expressnet-step-accounts: not there"),
        ("no binding", (OK, FAILED), "admission binding expressnet-step-accounts: not there"),
        ("no right", (WARNING, OK), "this user may not look"),
        ("elsewhere", (FAILED, OK), "is for namespace kubeflow, and runs are in expressnet"),
    ],
)
def test_a_profile_with_accounts_for_steps_needs_the_policy_and_its_binding(healthy, ailment, states, said):
    cluster = healthy[1]
    cluster.add(POLICY, spec=_policy("kubeflow" if ailment == "elsewhere" else "expressnet"))
    cluster.add(BINDING, spec={"policyName": examinations.POLICY})
    if ailment == "no right":
        cluster.refused.add(POLICY)
    elif ailment.startswith("no "):
        cluster.objects.pop(POLICY if ailment == "no policy" else BINDING)
    profile = dataclasses.replace(profiles.read("gke-l4x4"), account_per_step=True)
    found = [one for one in examinations.kubernetes_lines(settings.read(), profile, []) if "admission" in one.what]
    assert tuple(one.state for one in found) == states
    assert any(said in one.what for one in found)


def test_an_endpoint_that_refuses_does_not_keep_the_rest_from_being_looked_at(healthy, capsys):
    healthy[0].faults.append(Fault("GET .*/runs$", 403, times=9))
    code, said = _doctor(capsys)
    assert code == 1
    assert "does not allow this in namespace expressnet" in said
    assert "bucket faces: written" in said


def test_a_bucket_that_is_not_there_is_said(healthy, capsys, monkeypatch):
    monkeypatch.setenv("EXPRESSNET_BUCKET", "gs://nowhere")
    code, said = _doctor(capsys)
    assert code == 1
    assert "FAILED  bucket nowhere:" in said


def test_what_is_written_to_try_the_bucket_is_deleted(healthy, capsys):
    _doctor(capsys)
    with contextlib.closing(bucket.client()) as client:
        assert list(client.list_blobs("faces", prefix="fer/doctor")) == []


def test_without_a_kubeconfig_one_line_says_so(healthy, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    code, said = _doctor(capsys)
    assert code == 1
    assert "Kubernetes needs a kubeconfig" in said

"""What an administrator would look for in every overlay, in the objects as they would be applied."""

import json
import shutil
from collections import Counter

import kubernetes_validate
import pytest
import yaml

from images import build
from images.requirements import IMAGES
from tests.k8s import network, pod_security
from tests.k8s.conftest import ROOT, kustomize

WITH_PODS = ("gke", "onprem", "kind")
OVERLAYS = (*WITH_PODS, "kueue", "step-accounts")
STEP_LABELS = {"workflows.argoproj.io/workflow": "expressnet-train-abcde"}


def _of_kind(objects, *kinds):
    return [found for found in objects if found["kind"] in kinds]


def _templates(objects):
    """Returns the pod templates by the name of their owner."""
    found = {
        each["metadata"]["name"]: each["spec"]["template"] for each in _of_kind(objects, "Deployment", "StatefulSet")
    }
    jobs = {each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"] for each in _of_kind(objects, "CronJob")}
    return found | {name: job["template"] for name, job in jobs.items()}


def _namespace(objects):
    return _of_kind(objects, "Deployment")[0]["metadata"]["namespace"]


def _pods(objects):
    """Returns every pod that the overlay makes, and a step of a run, as ends of connections."""
    namespace = _namespace(objects)
    made = {name: template["metadata"]["labels"] for name, template in _templates(objects).items()}
    return {name: network.Pod(labels, namespace) for name, labels in (made | {"step": STEP_LABELS}).items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_object_is_there_twice(render, overlay):
    names = Counter((one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in render(overlay))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("version", ["1.33", "1.34", "1.35", "1.36"])
@pytest.mark.parametrize("overlay", WITH_PODS)
def test_every_object_fits_the_schema(render, overlay, version):
    for one in render(overlay):
        assert kubernetes_validate.validate(one, version, strict=True) == version


def test_the_schema_check_sees_a_misspelt_field(render):
    wrong = json.loads(json.dumps(_of_kind(render("gke"), "Deployment")[0]))
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagePullPolice"):
        kubernetes_validate.validate(wrong, "1.36", strict=True)


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_every_pod_keeps_to_the_restricted_standard(render, overlay):
    templates = _templates(render(overlay))
    assert len(templates) == 3
    broken = {name: pod_security.violations(template) for name, template in templates.items()}
    assert broken == {name: [] for name in templates}


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_every_container_has_a_read_only_root_and_bounds(render, overlay):
    for name, template in _templates(render(overlay)).items():
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_what_a_pod_refers_to_is_there(render, overlay):
    objects = render(overlay)
    names = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for template in _templates(objects).values():
        spec = template["spec"]
        wanted = {("ServiceAccount", spec["serviceAccountName"]), ("PriorityClass", spec["priorityClassName"])}
        wanted |= {
            ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        wanted |= {
            ("ConfigMap", source["configMapRef"]["name"])
            for container in spec["containers"]
            for source in container.get("envFrom", [])
        }
        assert wanted <= names
        assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_every_pod_is_under_a_deny_all_and_an_allow(render, overlay):
    objects = render(overlay)
    policies = _of_kind(objects, "NetworkPolicy")
    for name, pod in _pods(objects).items():
        for direction in ("Ingress", "Egress"):
            rules = [policy["spec"].get(direction.lower()) for policy in network.selecting(policies, pod, direction)]
            assert None in rules, f"no policy denies {name} its {direction}"
        allowing = [
            policy
            for policy in policies
            if network.selects(policy["spec"]["podSelector"], pod.labels)
            and (policy["spec"].get("ingress") or policy["spec"].get("egress"))
        ]
        assert allowing, f"no policy allows {name} anything"


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_pods_reach_whom_they_need_and_nobody_else(render, overlay):
    objects = render(overlay)
    policies, pods = _of_kind(objects, "NetworkPolicy"), _pods(objects)
    ports = {"expressnet-mlflow": 5000, "expressnet-postgres": 5432, "expressnet-postgres-backup": 5432, "step": 8080}
    reached = {
        (source, target)
        for source in pods
        for target in pods
        if network.connects(policies, pods[source], pods[target], ports[target])
    }
    assert reached == {
        ("step", "expressnet-mlflow"),
        ("expressnet-mlflow", "expressnet-postgres"),
        ("expressnet-postgres-backup", "expressnet-postgres"),
    }
    stranger = network.Pod({"app": "notebook"}, "elsewhere")
    assert not any(network.allowed(policies, pod, "Ingress", stranger, ports[name]) for name, pod in pods.items())


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_addresses_outside_are_for_steps_and_for_what_keeps_models_in_a_bucket(render, overlay):
    objects = render(overlay)
    policies, pods = _of_kind(objects, "NetworkPolicy"), _pods(objects)

    def reaching(address, port):
        return {name for name, pod in pods.items() if network.allowed(policies, pod, "Egress", address, port)}

    in_bucket = {"expressnet-mlflow"} if overlay == "gke" else set()
    assert reaching("203.0.113.7", 443) == {"step"} | in_bucket
    assert reaching("203.0.113.7", 80) == set()
    # A node's metadata server hands out tokens: only where they are Workload Identity's.
    assert reaching("169.254.169.254", 80) == ({"step"} | in_bucket if overlay == "gke" else set())


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_steps_reach_kubeflow_and_names(render, overlay):
    objects = render(overlay)
    policies, step = _of_kind(objects, "NetworkPolicy"), _pods(objects)["step"]
    for labels, port in [({"app": "ml-pipeline"}, 8887), ({"component": "metadata-grpc-server"}, 8080)]:
        assert network.allowed(policies, step, "Egress", network.Pod(labels, "kubeflow"), port)
    assert not network.allowed(policies, step, "Egress", network.Pod({"app": "mysql"}, "kubeflow"), 3306)
    assert network.allowed(policies, step, "Egress", network.Pod({"k8s-app": "kube-dns"}, "kube-system"), 53)


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_rights_have_no_wildcard_and_bind_what_is_there(render, overlay):
    objects = render(overlay)
    roles = {(one["kind"], one["metadata"]["name"]): one["rules"] for one in _of_kind(objects, "Role", "ClusterRole")}
    for rules in roles.values():
        for rule in rules:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"] + rule.get("resourceNames", [])
            # Whoever may read any secret has everything that is behind them.
            assert "secrets" not in rule["resources"] or rule["resourceNames"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
    accounts = {one["metadata"]["name"] for one in _of_kind(objects, "ServiceAccount")}
    for binding in _of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        for subject in binding["subjects"]:
            if subject["kind"] == "ServiceAccount":
                assert subject["name"] in accounts
                assert subject["namespace"] == _namespace(objects)


def test_each_class_of_steps_has_the_rights_of_a_step(render):
    objects = render("gke")
    binding = next(one for one in _of_kind(objects, "RoleBinding") if one["metadata"]["name"] == "expressnet-step")
    assert {subject["name"] for subject in binding["subjects"]} == {
        "expressnet-data",
        "expressnet-train",
        "expressnet-registry",
    }
    annotated = [one for one in _of_kind(objects, "ServiceAccount") if one["metadata"].get("annotations")]
    assert {one["metadata"]["name"] for one in annotated} == {
        "expressnet-data",
        "expressnet-train",
        "expressnet-registry",
        "expressnet-mlflow",
    }


def _images(objects):
    return {
        container["image"] for template in _templates(objects).values() for container in template["spec"]["containers"]
    }


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_after_a_push_every_image_is_one_of_the_lock(render, overlay, tmp_path):
    names = [*(image.name for image in IMAGES), *build.MIRRORED]
    lock = {name: f"registry.test/faces/{name}@sha256:{digit * 64}" for digit, name in zip("abcd", names, strict=True)}
    manifests = tmp_path / "k8s"
    shutil.copytree(ROOT / "k8s", manifests)
    (manifests / "images" / "kustomization.yaml").write_text(build.pins(lock))
    assert _images(kustomize(manifests / "overlays" / overlay)) == {lock["python-registry"], lock["postgres"]}


def test_what_is_mirrored_is_what_the_manifests_name():
    lines = [line.split() for path in (ROOT / "k8s" / "base").glob("*.yaml") for line in path.read_text().splitlines()]
    named = {line[1] for line in lines if line[:1] == ["image:"]}
    assert named == {"expressnet/python-registry", *build.MIRRORED.values()}


@pytest.mark.parametrize("overlay", WITH_PODS)
def test_the_workspace_is_there_under_its_name(render, overlay):
    claims = {one["metadata"]["name"]: one["spec"] for one in _of_kind(render(overlay), "PersistentVolumeClaim")}
    expected = ["ReadWriteOnce"] if overlay == "kind" else ["ReadWriteMany"]
    assert claims["expressnet-workspace"]["accessModes"] == expected


def test_no_secret_is_part_of_an_overlay(render):
    assert not [one for overlay in OVERLAYS for one in _of_kind(render(overlay), "Secret")]


def test_retries_cover_a_pod_that_vanished_and_a_step_that_failed():
    patch = yaml.safe_load((ROOT / "k8s" / "argo" / "workflow-defaults.yaml").read_text())
    retries = yaml.load(patch["data"]["workflowDefaults"], yaml.CSafeLoader)["spec"]["templateDefaults"][
        "retryStrategy"
    ]
    assert retries["retryPolicy"] == "Always"
    assert retries["limit"] == "0"


def test_the_queue_is_for_our_namespace_and_covers_its_flavors(render):
    objects = render("kueue")
    queue = _of_kind(objects, "ClusterQueue")[0]["spec"]
    group = queue["resourceGroups"][0]
    assert {flavor["name"] for flavor in group["flavors"]} == {
        one["metadata"]["name"] for one in _of_kind(objects, "ResourceFlavor")
    }
    for flavor in group["flavors"]:
        assert [resource["name"] for resource in flavor["resources"]] == group["coveredResources"]
    local = _of_kind(objects, "LocalQueue")[0]
    assert local["metadata"]["namespace"] == queue["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]


def test_the_bucket_forgets_checkpoints_and_keeps_models():
    rules = json.loads((ROOT / "k8s" / "overlays" / "gke" / "bucket-lifecycle.json").read_text())["rule"]
    erased = [rule["condition"] for rule in rules if rule["action"]["type"] == "Delete"]
    assert {"age": 30, "matchesPrefix": ["checkpoints/"]} in erased
    assert all("matchesPrefix" in condition or condition.get("isLive") is False for condition in erased)

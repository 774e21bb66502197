"""Every pipeline compiled for every profile: what each step asks Kubernetes for, read from the IR."""

import dataclasses
import json
import re

import pytest
import yaml
from kfp.compiler import Compiler

from components import _images
from expressnet.stages.summary import STAGES, STAGES_VARIABLE
from pipelines import catalog, image_lock, profiles
from pipelines.graphs import fan_out

LOCK = {
    "images": {
        image_lock.short_name(name): f"registry.test/{image_lock.short_name(name)}@sha256:{digit * 64}"
        for digit, name in zip("abc", (_images.DATA, _images.TRAIN, _images.REGISTRY), strict=True)
    }
}
FANNED_OUT = {"gke-a100x4": 8, "gke-l4x4": 8, "gke-t4x4-spot": 8, "onprem-4gpu": 4}  # profile: parts at a time
NEVER_CACHED = {"ingest", "register", "promote", "summary"}
CASES = [(pipeline, profile) for pipeline in catalog.NAMES for profile in profiles.NAMES]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def compiled(request, tmp_path_factory):
    """The profile and the two documents of the IR: the pipeline and the platform."""
    name, profile_name = request.param
    profile = profiles.read(profile_name)
    path = tmp_path_factory.mktemp("ir") / "pipeline.yaml"
    Compiler().compile(catalog.load(name, profile, lock=LOCK), str(path))
    pipeline, platform = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    return profile, pipeline, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def _containers(pipeline):
    executors = pipeline["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): executor["container"] for name, executor in executors.items()}


def _tasks(pipeline):
    graphs = [pipeline["root"], *pipeline["components"].values()]
    return {
        name: task
        for graph in graphs
        for name, task in graph.get("dag", {}).get("tasks", {}).items()
        if "executorLabel" in pipeline["components"][task["componentRef"]["name"]]
    }


def test_every_step_runs_in_an_image_that_a_digest_pins(compiled):
    _, pipeline, _ = compiled
    for container in _containers(pipeline).values():
        assert container["image"] in LOCK["images"].values()


def test_every_step_has_the_requests_and_limits_of_its_profile(compiled):
    profile, pipeline, _ = compiled
    for name, container in _containers(pipeline).items():
        step, resources = profile.step(name), container["resources"]
        assert (resources["resourceCpuRequest"], resources["resourceCpuLimit"]) == (step.cpu, step.cpu_limit)
        found = (resources["resourceMemoryRequest"], resources["resourceMemoryLimit"])
        assert found == (step.memory, step.memory_limit)


def test_only_training_asks_for_gpus_and_for_all_of_one_node(compiled):
    profile, pipeline, _ = compiled
    asked = {
        name: container["resources"]["accelerator"]
        for name, container in _containers(pipeline).items()
        if "accelerator" in container["resources"]
    }
    if profile.name == "cpu":
        assert asked == {}
    elif "train" in _containers(pipeline):
        assert set(asked) == {"train"}
        assert asked["train"]["resourceCount"] == "4"
        assert asked["train"]["resourceType"] == "nvidia.com/gpu"


def test_training_tolerates_the_taints_of_its_node_and_has_shared_memory(compiled):
    profile, _, platform = compiled
    if profile.name == "cpu" or "exec-train" not in platform:
        pytest.skip("no GPUs, or nothing is trained")
    pool, train = profile.pools["gpu"], platform["exec-train"]
    assert train["nodeSelector"]["labels"] == dict(pool.node_selector)
    assert [found["key"] for found in train["tolerations"]] == [rule["key"] for rule in pool.tolerations]
    (shm,) = train["emptyDirMounts"]
    assert (shm["mountPath"], shm["medium"], shm["sizeLimit"]) == ("/dev/shm", "Memory", pool.shared_memory)


def test_what_needs_no_gpu_is_kept_off_nodes_that_have_one(compiled):
    profile, _, platform = compiled
    if profile.name == "cpu":
        pytest.skip("no GPUs")
    for name, executor in platform.items():
        if name != "exec-train":
            (rule,) = executor["nodeAffinity"][0]["matchExpressions"]
            assert rule["operator"] == "DoesNotExist"
            assert "tolerations" not in executor


def test_every_step_and_the_exit_handler_run_as_the_user_of_our_images_and_never_as_root(compiled):
    _, pipeline, platform = compiled
    assert set(platform) == {f"exec-{name}" for name in _containers(pipeline)}
    assert "exec-summary" in platform
    dockerfile = (image_lock.ROOT / "images" / "Dockerfile").read_text()
    users = set(re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE))
    for executor in platform.values():
        context = executor["securityContext"]
        assert context["runAsNonRoot"] is True
        assert users == {f"{context['runAsUser']}:{context['runAsGroup']}"}


def test_every_step_mounts_the_workspace_at_one_path(compiled):
    profile, _, platform = compiled
    for executor in platform.values():
        (mount,) = executor["pvcMount"]
        assert mount["mountPath"] == profile.workspace_path
        assert mount["pvcNameParameter"]["runtimeValue"]["constant"] == profile.workspace_claim


def test_every_step_is_tried_again_with_back_off_for_as_long_as_its_attempts_may_take(compiled):
    profile, pipeline, platform = compiled
    for task in _tasks(pipeline).values():
        name = task["componentRef"]["name"].removeprefix("comp-")
        step, policy = profile.step(name), task["retryPolicy"]
        assert policy["maxRetryCount"] == step.retries >= 3
        assert policy["backoffDuration"] == f"{step.backoff_s}s"
        assert policy["backoffFactor"] == step.backoff_factor
        assert int(policy["backoffMaxDuration"].rstrip("s")) > step.timeout_s * step.retries
        assert platform[f"exec-{name}"]["activeDeadlineSeconds"] == str(step.timeout_s)


def test_only_what_looks_outside_is_never_cached(compiled):
    _, pipeline, _ = compiled
    if pipeline["pipelineInfo"]["name"] != "expressnet-train":
        pytest.skip("what another pipeline caches, its own tests say")
    for name, task in _tasks(pipeline).items():
        assert task["cachingOptions"].get("enableCache", False) == (name not in NEVER_CACHED)


def test_every_pod_can_be_found_by_its_stage_and_class_and_knows_its_run(compiled):
    _, pipeline, platform = compiled
    for name, executor in platform.items():
        stage = name.removeprefix("exec-")
        container = _containers(pipeline)[stage]
        labels = executor["podMetadata"]["labels"]
        assert labels["expressnet/stage"] == stage
        assert f"python-{labels['expressnet/step-class']}@" in container["image"]
        (run_id,) = executor["fieldPathAsEnv"]
        assert run_id["fieldPath"] == "metadata.labels['pipeline/runid']"
        run_dir = next(item["value"] for item in container["env"] if item["name"] == "EXPRESSNET_RUN_DIR")
        assert run_dir == f"/workspace/runs/${{{run_id['name']}}}"


def test_faces_are_cut_by_sixteen_parts_that_the_step_crop_waits_for(compiled):
    profile, pipeline, _ = compiled
    if "crop" not in _tasks(pipeline):
        pytest.skip("nothing is cropped")
    if profile.name not in FANNED_OUT:
        assert "cut" not in _tasks(pipeline)
        return
    graphs = [component["dag"] for component in pipeline["components"].values() if "dag" in component]
    (graph,) = [graph["tasks"] for graph in graphs if "crop" in graph["tasks"]]
    ((name, loop),) = [(name, task) for name, task in graph.items() if "parameterIterator" in task]
    assert json.loads(loop["parameterIterator"]["items"]["raw"]) == list(range(16))
    assert loop["iteratorPolicy"]["parallelismLimit"] == FANNED_OUT[profile.name]
    assert "validate" in loop["dependentTasks"]
    assert name in graph["crop"]["dependentTasks"]
    assert graph["crop"]["inputs"]["parameters"]["parts"]["taskOutputParameter"]["producerTask"] == name
    inside = pipeline["components"][loop["componentRef"]["name"]]["dag"]["tasks"]
    assert set(inside) == {"cut"}


def test_a_part_is_reused_for_the_same_data_code_settings_and_number_only(compiled):
    profile, pipeline, _ = compiled
    if "cut" not in _tasks(pipeline):
        pytest.skip("nothing is shared")
    cut, crop = (_tasks(pipeline)[name] for name in ("cut", "crop"))
    parameters = cut["inputs"]["parameters"]
    decides = {"dataset_digest", "crops_store", "code_digest", "preset", "crop_mode", "protocol", "margin", "detector"}
    assert set(parameters) == decides | {"part", "num_parts", "workspace"}
    assert decides < set(crop["inputs"]["parameters"])
    assert len(parameters["code_digest"]["runtimeValue"]["constant"]) == 64
    assert parameters["num_parts"]["runtimeValue"]["constant"] == profile.crop.parts
    assert "loop-item" in parameters["part"]["componentInputParameter"]


def test_the_exit_handler_knows_the_stages_of_its_graph(compiled):
    _, pipeline, _ = compiled
    (known,) = [item["value"] for item in _containers(pipeline)["summary"]["env"] if item["name"] == STAGES_VARIABLE]
    assert set(known.split(",")) == set(_containers(pipeline))
    assert set(known.split(",")) <= {*STAGES, "summary"}


def test_a_laptop_gets_the_same_graph_with_nothing_applied(compiled, tmp_path):
    profile, pipeline, _ = compiled
    name = pipeline["pipelineInfo"]["name"].removeprefix("expressnet-")
    unshared = dataclasses.replace(profile, crop=fan_out.ALONE)
    Compiler().compile(catalog.load(name, unshared, lock=LOCK), str(tmp_path / "placed.yaml"))
    Compiler().compile(catalog.load(name), str(tmp_path / "local.yaml"))
    (local,) = yaml.safe_load_all((tmp_path / "local.yaml").read_text())
    placed, _ = yaml.safe_load_all((tmp_path / "placed.yaml").read_text())
    for graph in (placed["root"], *placed["components"].values()):
        for task in graph.get("dag", {}).get("tasks", {}).values():
            task.pop("retryPolicy", None)
    for container in _containers(placed).values():
        container.pop("env")
        container.pop("resources")
        container["image"] = f"expressnet/{image_lock.short_name(container['image'])}:0.1.0"
    assert placed == local


SPOT = profiles.FOLDER / "gke-t4x4-spot.yaml"


def _changed(path, *keys, value):
    given = yaml.load(SPOT.read_text(), yaml.CSafeLoader)
    place = given
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (path / "mine.yaml").write_text(yaml.safe_dump(given))
    return path


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("pools", "gpu", "accelerator", "count"), 0, "accelerator.count must be 1 to 16; got 0"),
        (("pools", "gpu", "shared_memory"), "", "shared_memory must be given with an accelerator"),
        (("pools", "gpu", "shared_memory"), "64Gi", r"memory_limit of train must be more than /dev/shm \(64Gi\)"),
        (("pools", "gpu", "node_selector"), {"spot": True}, "node_selector.spot must be text; put it in quotes"),
        (("pools", "gpu", "tolerations"), [{"operator": "Exists"}], "tolerations.key must be a taint"),
        (("pools", "cpu", "affinity"), [], "pools.cpu must be kept off the GPU nodes"),
        (("pools", "cpu", "usd_per_hour"), -1, "usd_per_hour must be 0 or more; got -1"),
        (("steps", "train", "memory_limit"), "1Gi", "memory_limit must be at least the request of 40Gi; got '1Gi'"),
        (("steps", "train", "cpu"), "twelve", "cpu must be a Kubernetes quantity such as 500m or 8Gi; got 'twelve'"),
        (("steps", "train", "retries"), 0, "retries must be 1 to 20; got 0"),
        (("steps", "train", "backoff_factor"), 2, "the longest wait between attempts must be at most 7200"),
        (("steps", "train", "timeout_s"), 5, "timeout_s must be 60 to"),
        (("steps", "train", "pool"), "tpu", "pool of train must be one of cpu, gpu; got 'tpu'"),
        (("steps", "trian"), {"pool": "gpu"}, r"steps must be among the components .*; got \['trian'\]"),
        (("defaults", "pool"), "gpu", "pool of defaults must be one without GPUs"),
        (("workspace_path",), "work", "workspace_path must be an absolute folder"),
        (("service_accounts",), {"data": "x"}, "service_accounts must be given for data, train, registry"),
        (("crop",), {"parts": 257}, "crop.parts must be 1 to 256, the most that one loop takes; got 257"),
        (("crop",), {"parts": 0}, "crop.parts must be 1 to 256"),
        (("crop",), {"parts": "all"}, r"crop.parts and crop.parallelism must be whole numbers; got \('all', 1\)"),
        (("crop",), {"parts": 4, "parallelism": 5}, "crop.parallelism must be 1 to 4, the number of parts; got 5"),
        (("crop",), {"pods": 4}, "unexpected keyword argument 'pods'"),
        (("wrokspace",), "x", "unexpected keyword argument 'wrokspace'. Is a key misspelt or missing?"),
    ],
)
def test_nonsense_in_a_profile_is_refused_with_its_key_and_value(tmp_path, keys, value, message):
    with pytest.raises(profiles.ProfileError, match=message):
        profiles.read("mine", _changed(tmp_path, *keys, value=value))


def test_an_unknown_profile_lists_the_known_ones():
    with pytest.raises(profiles.ProfileError, match="PROFILE must be one of cpu, gke-a100x4, .*; got 'gke'"):
        profiles.read("gke")


def test_a_queue_of_kueue_is_a_label_of_the_pods_of_its_pool(tmp_path):
    profile = profiles.read("mine", _changed(tmp_path, "pools", "gpu", "queue", value="expressnet"))
    Compiler().compile(catalog.load("train", profile, lock=LOCK), str(tmp_path / "ir.yaml"))
    _, platform = yaml.safe_load_all((tmp_path / "ir.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    queued = {
        name for name, found in executors.items() if "kueue.x-k8s.io/queue-name" in found["podMetadata"]["labels"]
    }
    assert queued == {"exec-train"}


def test_an_image_without_a_digest_is_refused_unless_tags_are_allowed():
    with pytest.raises(
        image_lock.ImageError, match="must be pinned as name@sha256:...; got expressnet/python-data:0.1.0"
    ):
        catalog.load("train", profiles.read("cpu"))
    assert catalog.load("train", profiles.read("cpu"), allow_tags=True).name == "expressnet-train"

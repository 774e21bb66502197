"""The compiled graph: who feeds whom, what is cached, what is always asked again."""

import pytest
import yaml
from kfp.compiler import Compiler

from expressnet.config.crop import CropConfig
from expressnet.config.split import SplitConfig
from pipelines import catalog

STAGES = ("ingest", "validate", "crop", "split", "train", "evaluate", "register", "promote")
# consumer: {input: producer.output}
ARTIFACTS = {
    "ingest": {},
    "validate": {},
    "crop": {},
    "split": {},
    "train": {"splits": "split.splits"},
    "evaluate": {"model": "train.model", "splits": "split.splits"},
    "register": {"model": "train.model", "evaluation": "evaluate.evaluation"},
    "promote": {},
}
DIGESTS = {
    "validate": {"dataset_digest": "ingest.dataset_digest"},
    "crop": {"dataset_digest": "ingest.dataset_digest", "crops_store": "ingest.crops_store"},
    "split": {"crops": "crop.crops", "crops_digest": "crop.crops_digest"},
    "train": {"crops": "crop.crops", "split_digest": "split.split_digest"},
    "evaluate": {
        "crops": "crop.crops",
        "model_digest": "train.model_digest",
        "split_digest": "split.split_digest",
    },
}


@pytest.fixture(scope="module")
def ir(tmp_path_factory):
    path = tmp_path_factory.mktemp("ir") / "train.yaml"
    Compiler().compile(catalog.load("train"), str(path))
    return yaml.load(path.read_text(), yaml.CSafeLoader)


@pytest.fixture(scope="module")
def tasks(ir):
    return ir["components"]["comp-exit-handler-1"]["dag"]["tasks"]


def _producers(inputs, kind, key):
    named = {}
    for name, spec in inputs.get(kind, {}).items():
        source = spec.get(key)
        if source:
            output = source.get("outputArtifactKey") or source.get("outputParameterKey")
            named[name] = f"{source['producerTask']}.{output}"
    return named


def test_the_stages_are_those_of_the_design(tasks):
    assert set(tasks) == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_what_its_forerunners_wrote(tasks, stage):
    assert _producers(tasks[stage]["inputs"], "artifacts", "taskOutputArtifact") == ARTIFACTS[stage]


@pytest.mark.parametrize("stage", DIGESTS)
def test_the_digests_of_the_input_are_part_of_the_cache_key(tasks, stage):
    assert _producers(tasks[stage]["inputs"], "parameters", "taskOutputParameter") == DIGESTS[stage]
    constant = tasks[stage]["inputs"]["parameters"]["code_digest"]["runtimeValue"]["constant"]
    assert len(constant) == 64


def test_promote_takes_a_version_from_the_registry_and_nothing_else(tasks):
    assert _producers(tasks["promote"]["inputs"], "parameters", "taskOutputParameter") == {
        "version": "register.version",
        "model_name": "register.model_name",
    }


def test_validation_is_a_gate_in_front_of_the_crops(tasks):
    assert "validate" in tasks["crop"]["dependentTasks"]


@pytest.mark.parametrize(
    ("stage", "cached"),
    [(stage, stage not in ("ingest", "register", "promote")) for stage in STAGES],
)
def test_what_looks_outside_is_never_cached(tasks, stage, cached):
    assert tasks[stage]["cachingOptions"].get("enableCache", False) == cached


def test_the_summary_runs_whatever_happened_and_is_never_cached(ir):
    task = ir["root"]["dag"]["tasks"]["summary"]
    assert task["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert task["dependentTasks"] == ["exit-handler-1"]
    assert not task["cachingOptions"].get("enableCache", False)


def test_the_defaults_are_those_of_the_settings(ir):
    parameters = ir["root"]["inputDefinitions"]["parameters"]
    defaults = {name: spec["defaultValue"] for name, spec in parameters.items() if "defaultValue" in spec}
    assert defaults["protocol"] == SplitConfig().protocol
    assert defaults["margin"] == CropConfig().margin
    assert defaults["seed"] == SplitConfig().seed
    assert set(parameters) - set(defaults) == {"workspace"}


def test_an_image_needs_no_pip_at_run_time(ir):
    for executor in ir["deploymentSpec"]["executors"].values():
        assert "pip install" not in " ".join(executor["container"]["command"])


def test_data_stages_run_in_the_image_without_tensorflow(ir):
    images = {
        name.removeprefix("exec-"): executor["container"]["image"].split(":")[0]
        for name, executor in ir["deploymentSpec"]["executors"].items()
    }
    in_data = {name for name, image in images.items() if image == "expressnet/python-data"}
    assert in_data == {"ingest", "validate", "crop", "split", "summary"}

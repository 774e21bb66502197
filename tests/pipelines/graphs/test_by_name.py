"""Folders travel by name: what a real Kubeflow refuses, and what its cache could never reuse."""

import ast
from pathlib import Path

import pytest
import yaml
from kfp.compiler import Compiler

from pipelines import catalog, profiles
from pipelines.cluster import package

COMPONENTS = Path(__file__).parents[3] / "components"


def _graphs(spec):
    """Yields the tasks of the root and of every exit handler, condition and loop, each with those around them."""
    waiting = [({}, spec["root"])]
    while waiting:
        around, component = waiting.pop()
        tasks = component["dag"]["tasks"]
        yield {**around, **tasks}, tasks
        for task in tasks.values():
            inner = spec["components"][task["componentRef"]["name"]]
            if "dag" in inner:
                waiting.append(({**around, **tasks}, inner))


@pytest.fixture(scope="module", params=[(name, place) for name in catalog.NAMES for place in ("laptop", "gke-l4x4")])
def spec(request, tmp_path_factory):
    name, place = request.param
    if place != "laptop":
        return package.make(name, profiles.read(place), {}, allow_tags=True).spec
    path = tmp_path_factory.mktemp("ir") / "graph.yaml"
    Compiler().compile(catalog.load(name), str(path))
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def test_no_task_takes_an_artifact_of_one_that_always_runs_but_for_those_that_always_run_too(spec):
    """Kubeflow's cache key holds the ids of input artifacts, which are new whenever their task ran."""
    for known, tasks in _graphs(spec):
        for name, task in tasks.items():
            for source in task.get("inputs", {}).get("artifacts", {}).values():
                producer = known[source["taskOutputArtifact"]["producerTask"]]
                always = not producer.get("cachingOptions", {}).get("enableCache")
                assert not always or not task["cachingOptions"].get("enableCache"), name


@pytest.mark.parametrize("path", sorted(COMPONENTS.glob("*.py")), ids=lambda path: path.stem)
def test_no_component_touches_a_uri(path):
    """The launcher knows URIs of object stores only: another one ends the next step before our code runs."""
    attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert "uri" not in attributes

"""A compiled pipeline under the name of its content."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import graphlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from expressnet import storage
from pipelines import catalog, images
from pipelines.profiles import Profile

_DIGITS = 12


@dataclasses.dataclass(frozen=True)
class Package:
    """The IR of a pipeline for one cluster.

    Attributes:
        name: of the pipeline, as Kubeflow lists it.
        version: the first digits of the IR's SHA-256: the same graph, code, images and profile, the same version.
        text: the IR, two YAML documents: pipeline and platform.
    """

    name: str
    version: str
    text: str

    @functools.cached_property
    def spec(self) -> dict[str, Any]:
        """The first document: the graph and its executors."""
        return next(yaml.load_all(self.text, yaml.CSafeLoader))

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Returns the tasks that run a container, by name, each behind those that it waits for."""
        return dict(_in_order(self.spec["root"], self.spec["components"]))


def _in_order(graph: dict[str, Any], components: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the tasks of a graph, those of its exit handlers, conditions and loops in their place."""
    tasks = graph["dag"]["tasks"]
    before = {name: set(task.get("dependentTasks", [])) & set(tasks) for name, task in tasks.items()}
    for name in graphlib.TopologicalSorter(before).static_order():
        component = components[tasks[name]["componentRef"]["name"]]
        if "dag" in component:
            yield from _in_order(component, components)
        else:
            yield name, tasks[name]


def make(name: str, profile: Profile | None, lock: dict, *, allow_tags: bool, cache: bool = True) -> Package:
    """Compiles a pipeline.

    Raises:
        images.ImageError: an image has no digest and `allow_tags` is False.
    """
    pipeline = catalog.load(name, profile, lock=lock, allow_tags=allow_tags, cache=cache)
    text = _compiled(pipeline)
    return Package(pipeline.name, storage.bytes_sha256(text.encode())[:_DIGITS], text)


def kubernetes_resources(name: str, profile: Profile, lock: dict, *, allow_tags: bool, namespace: str) -> str:
    """Returns Pipeline and PipelineVersion resources, for endpoints that keep pipelines in Kubernetes."""
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    package = make(name, profile, lock, allow_tags=allow_tags)
    options = KubernetesManifestOptions(
        pipeline_name=package.name, pipeline_version_name=f"{package.name}-{package.version}",
        pipeline_version_display_name=package.version, namespace=namespace, include_pipeline_manifest=True,
    )  # fmt: skip
    pipeline = catalog.load(name, profile, lock=lock, allow_tags=allow_tags)
    return _compiled(pipeline, kubernetes_manifest_format=True, kubernetes_manifest_options=options)


def _compiled(pipeline: Any, **options: Any) -> str:
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        Compiler().compile(pipeline, str(path), **options)
        return path.read_text()


def commit() -> str:
    """Returns the checkout's commit, with + if something is changed, "none" outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=8", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(command, cwd=images.ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.strip()


def run_name(pipeline: str, parameters: dict[str, Any]) -> str:
    """Returns a name under which runs sort by pipeline, data set and time (UTC)."""
    said = [str(parameters[key]) for key in ("dataset", "preset", "protocol") if parameters.get(key)]
    # To the millisecond: a run of this name that is there already counts as this one, whose answer was lost.
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return "-".join([pipeline, *said[:1], now, *said[1:], commit()])

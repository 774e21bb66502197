"""A compiled pipeline under the name of its content."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import graphlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from expressnet.runtime import storage
from pipelines import catalog, image_lock
from pipelines.cluster import ClusterError
from pipelines.profiles import Profile

_DIGITS = 12
LABELLED = ("dataset", "preset", "protocol")  # parameters that label a run
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclasses.dataclass(frozen=True)
class Package:
    """The IR of a pipeline for one cluster.

    Attributes:
        name: of the pipeline, as Kubeflow lists it.
        version: the first digits of the IR's SHA-256: the same graph, code, images, profile and labels, the same
            version.
        text: the IR, two YAML documents: pipeline and platform.
        labels: of the runs, which are part of the IR.
    """

    name: str
    version: str
    text: str
    labels: Mapping[str, str]

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


def run_labels(pipeline: str, parameters: Mapping[str, Any], lock: dict) -> dict[str, str]:
    """Returns what a run's pods can be found and billed by: data set, preset, protocol and commit, as far as known.

    The commit is that of the images: the checkout's would make a new pipeline version of every commit, also where only
    a document changed.

    Args:
        pipeline: name in the catalog.
        parameters: of the run; what is not among them has the pipeline's default.
        lock: of the images.

    Raises:
        ClusterError: Kubernetes would not take a value as a label.
    """
    known = catalog.load(pipeline).component_spec.inputs
    said = {name: str(parameters.get(name, known[name].default)) for name in LABELLED if name in known}
    found = {name: value for name, value in {**said, "commit": str(lock.get("commit", ""))[:_DIGITS]}.items() if value}
    for name, value in found.items():
        if not _LABEL_VALUE.fullmatch(value):
            raise ClusterError(
                f"{name} must be a label of Kubernetes, which the pods get: at most 63 letters, digits, dashes, dots "
                f"and underscores between two letters or digits; got {value!r}."
            )
    return found


def make(
    name: str,
    profile: Profile | None,
    lock: dict,
    *,
    allow_tags: bool,
    cache: bool = True,
    labels: Mapping[str, str] = MappingProxyType({}),
) -> Package:
    """Compiles a pipeline.

    Raises:
        images.ImageError: an image has no digest and `allow_tags` is False.
    """
    pipeline = catalog.load(name, profile, lock=lock, allow_tags=allow_tags, cache=cache, labels=labels)
    text = _compiled(pipeline)
    return Package(pipeline.name, storage.bytes_sha256(text.encode())[:_DIGITS], text, labels)


def kubernetes_resources(name: str, profile: Profile, lock: dict, *, allow_tags: bool, namespace: str) -> str:
    """Returns Pipeline and PipelineVersion resources, for endpoints that keep pipelines in Kubernetes."""
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    package = make(name, profile, lock, allow_tags=allow_tags)
    options = KubernetesManifestOptions(
        pipeline_name=package.name,
        pipeline_version_name=f"{package.name}-{package.version}",
        pipeline_version_display_name=package.version,
        namespace=namespace,
        include_pipeline_manifest=True,
    )
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
        done = subprocess.run(command, cwd=image_lock.ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.strip()


def run_name(pipeline: str, parameters: dict[str, Any]) -> str:
    """Returns a name under which runs sort by pipeline, data set and time (UTC)."""
    said = [str(parameters[key]) for key in LABELLED if parameters.get(key)]
    # To the millisecond: a run of this name that is there already counts as this one, whose answer was lost.
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return "-".join([pipeline, *said[:1], now, *said[1:], commit()])

"""`submit`: compiles, uploads what is new, starts a run, and if asked waits for its end."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import kfp_server_api

from expressnet.datasets import catalog as datasets
from pipelines import catalog, image_lock, placement, profiles
from pipelines.cluster import ClusterError, client, confidential, plan, runs, settings, split_files
from pipelines.cluster.confidential import say
from pipelines.cluster.package import LABELLED, Package, commit, make, run_labels, run_name

_LICENCE = "The data set's licence must be acknowledged with ACCEPT_LICENCE=1"


def run(pipeline: str, values: dict[str, Any], *, profile_name: str, cache: bool, wait: bool, dry_run: bool) -> int:
    """Submits; returns 0 if the run was started, or with `wait` if it succeeded.

    Args:
        pipeline: name in the catalog.
        values: of the pipeline's options.
        profile_name: of the cluster; "" takes the one of expressnet.yaml.
        cache: whether results of unchanged steps are taken from earlier runs.
        wait: whether to show the steps until the run is over.
        dry_run: whether to print the plan and connect to nothing.
    """
    found = settings.read()
    profile = profiles.read(profile_name or found.profile)
    parameters = parameters_of(pipeline, values, found, profile, offline=dry_run)
    confidential.refuse(parameters)
    lock = image_lock.read_lock()
    allow_tags = allows_tags()
    stale = image_lock.why_stale(lock)
    package = make(
        pipeline,
        profile,
        lock,
        allow_tags=allow_tags or dry_run,
        cache=cache,
        labels=run_labels(pipeline, parameters, lock),
    )
    name = run_name(pipeline, parameters)
    if dry_run:
        notes = _notes(package, parameters, stale, allow_tags)
        notes += split_files.notes(values["split_file"], parameters) if values["split_file"] else []
        say(plan.render(package, profile, parameters, name, notes))
        return 0
    require_ready(parameters, stale)
    account = placement.service_account(catalog.load(pipeline), profile)
    with client.connect(found) as api:
        if values["split_file"] and split_files.upload(values["split_file"], parameters["split_file"]):
            say(f"uploaded   {parameters['split_file']}")
        version = uploaded(api, package)
        started = start(api, version, parameters, name, found, account, profile.name)
        say(f"run        {name}\n           {api.link(f'runs/details/{started.run_id}')}")
        return runs.wait(api, started.run_id, list(package.tasks())) if wait else 0


def require_ready(parameters: dict[str, Any], stale: str) -> None:
    """Refuses what would fail or mislead once it runs.

    Raises:
        ClusterError: the licence is not acknowledged, or the images hold other code.
    """
    if not _licence_accepted(parameters):
        raise ClusterError(_LICENCE)
    if stale:
        raise ClusterError(f"The images must hold this code, but {stale}. Run `make images PUSH=1` first.")


def _licence_accepted(parameters: dict[str, Any]) -> bool:
    """Returns whether ingest would take the data; it would refuse only after a node was there for it."""
    name = parameters.get("dataset", "")
    return not name or not datasets.find(name).ABOUT.needs_acceptance or bool(parameters.get("licence_accepted"))


def allows_tags() -> bool:
    """Returns whether ALLOW_TAGS=1 is set."""
    return os.environ.get("ALLOW_TAGS", "") == "1"


def parameters_of(
    pipeline: str, values: dict[str, Any], found: settings.Settings, profile: profiles.Profile, *, offline: bool
) -> dict[str, Any]:
    """Returns the run's parameters: what was asked for, the workspace, and where checkpoints go.

    Raises:
        ClusterError: a path is one of this machine, or the split file can't be used.
    """
    known, given = catalog.load(pipeline).component_spec.inputs, dict(values)
    if given.get("split_file"):
        given |= split_files.parameters(given["split_file"], found, profile.workspace_path, offline=offline)
    for name in ("data_uri", "backbone_weights"):
        _require_reachable(name, str(given.get(name, "")), profile.workspace_path)
    if "checkpoint_uri" in known and not given.get("checkpoint_uri"):
        given["checkpoint_uri"] = found.under_bucket("checkpoints")
    return {**given, "workspace": profile.workspace_path}


def _require_reachable(name: str, value: str, workspace: str) -> None:
    if value and "://" not in value and not Path(value).is_relative_to(workspace):
        raise ClusterError(
            f"{name} must be gs://... or lie below {workspace}, the volume of the steps; got {value}, which is a path "
            "of this machine that no node sees. Upload it first (`gcloud storage cp`)."
        )


def _notes(package: Package, parameters: dict[str, Any], stale: str, allow_tags: bool) -> list[str]:
    notes = []
    if "@sha256:" not in package.text and not allow_tags:
        notes.append("images are not pinned, so a real submit is refused: run `make images PUSH=1` or say ALLOW_TAGS=1")
    if stale:
        notes.append(f"a real submit is refused: {stale}; run `make images PUSH=1`")
    if not _licence_accepted(parameters):
        notes.append(f"a real submit is refused. {_LICENCE}")
    if parameters.get("checkpoint_uri") == "":
        notes.append("no bucket is set, so a training that loses its volume starts anew")
    return notes


def uploaded(api: client.Api, package: Package) -> kfp_server_api.V2beta1PipelineVersion:
    """Returns the pipeline version of this content, uploaded if the endpoint does not have it."""
    pipeline, _ = client.find_or_create(
        lambda: _first(
            api.pipelines.pipeline_service_list_pipelines(
                filter=client.named(package.name), **client.scope(api)
            ).pipelines
        ),
        lambda: api.pipelines.pipeline_service_create_pipeline(
            kfp_server_api.V2beta1Pipeline(display_name=package.name, name=package.name, namespace=api.namespace)
        ),
    )
    version, is_new = client.find_or_create(
        lambda: _first(
            api.pipelines.pipeline_service_list_pipeline_versions(
                pipeline.pipeline_id, filter=client.named(package.version)
            ).pipeline_versions
        ),
        lambda: _upload(api, package, pipeline.pipeline_id),
    )
    say(f"pipeline   {package.name}, version {package.version}{'' if is_new else ' (was there before)'}")
    return version


def _first(found: list[Any] | None) -> Any:
    return found[0] if found else None


def _upload(api: client.Api, package: Package, pipeline_id: str) -> kfp_server_api.V2beta1PipelineVersion:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{package.name}.yaml"
        path.write_text(package.text)
        # Endpoints before 2.17 know no tags and leave them out.
        return api.uploads.upload_pipeline_version(
            str(path),
            name=package.version,
            pipelineid=pipeline_id,
            description=f"commit={commit()}",
            tags=json.dumps(dict(package.labels)),
        )


def experiment_of(api: client.Api, name: str) -> kfp_server_api.V2beta1Experiment:
    """Returns the experiment of this name, made if it is missing."""
    experiment, _ = client.find_or_create(
        lambda: _first(
            api.experiments.experiment_service_list_experiments(
                filter=client.named(name), **client.scope(api)
            ).experiments
        ),
        lambda: api.experiments.experiment_service_create_experiment(
            kfp_server_api.V2beta1Experiment(display_name=name, namespace=api.namespace)
        ),
    )
    return experiment


def description(parameters: dict[str, Any], profile_name: str) -> str:
    """Returns what the pods' labels say, because Kubeflow's runs have none: key=value, a line each."""
    said = {key: parameters[key] for key in LABELLED if parameters.get(key)}
    return "\n".join(f"{key}={value}" for key, value in {**said, "commit": commit(), "profile": profile_name}.items())


def start(
    api: client.Api,
    version: kfp_server_api.V2beta1PipelineVersion,
    parameters: dict[str, Any],
    name: str,
    found: settings.Settings,
    account: str,
    profile_name: str,
) -> kfp_server_api.V2beta1Run:
    """Starts a run of a version, once, also where the answer is lost on the way."""
    experiment = experiment_of(api, experiment_name(parameters))
    body = kfp_server_api.V2beta1Run(
        display_name=name,
        description=description(parameters, profile_name),
        experiment_id=experiment.experiment_id,
        service_account=account,
        pipeline_version_reference=reference(version),
        runtime_config=runtime_config(parameters, found),
    )
    started, _ = client.find_or_create(
        lambda: _first(
            api.runs.run_service_list_runs(experiment_id=experiment.experiment_id, filter=client.named(name)).runs
        ),
        lambda: api.runs.run_service_create_run(body),
    )
    return started


def experiment_name(parameters: dict[str, Any]) -> str:
    """Returns the experiment that runs of one data set share."""
    return f"expressnet-{parameters['dataset']}" if parameters.get("dataset") else "expressnet"


def reference(version: kfp_server_api.V2beta1PipelineVersion) -> kfp_server_api.V2beta1PipelineVersionReference:
    """Returns how a run names its pipeline version."""
    return kfp_server_api.V2beta1PipelineVersionReference(
        pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
    )


def runtime_config(parameters: dict[str, Any], found: settings.Settings) -> kfp_server_api.V2beta1RuntimeConfig:
    """Returns the parameters and where artifacts go; without a bucket that is the endpoint's own choice."""
    root = found.under_bucket("runs") or None
    return kfp_server_api.V2beta1RuntimeConfig(parameters=parameters, pipeline_root=root)

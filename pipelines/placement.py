"""Puts the tasks of a graph where a profile says; the graph itself is the one that runs on a laptop."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from kfp import dsl, kubernetes
from kfp.dsl import pipeline_context

from expressnet.runtime import journal
from expressnet.stages import summary
from pipelines import image_lock
from pipelines.graphs import fan_out
from pipelines.profiles import Pool, Profile

LABEL_PREFIX = "expressnet/"
STAGE_LABEL, CLASS_LABEL = f"{LABEL_PREFIX}stage", f"{LABEL_PREFIX}step-class"
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_RUN_ID = "EXPRESSNET_RUN_ID"
_USER_ID = 10001  # of our images, and the group of the workspace


def placed(
    pipeline: Any, profile: Profile, lock: dict, *, allow_tags: bool, cache: bool, labels: Mapping[str, str]
) -> Any:
    """Returns the pipeline with every task placed, and none of them reused where `cache` is False.

    The function behind `pipeline` is traced once more. Images are set on the tasks and not read where a component
    is defined: a local run needs no lock, and one process can compile for two profiles.

    Raises:
        images.ImageError: an image has no digest and `allow_tags` is False.
        ValueError: the graph nests another pipeline, whose tasks are out of reach.
    """
    graph = pipeline.pipeline_func

    @functools.wraps(graph)
    def everywhere(*arguments: Any, **named: Any) -> Any:
        outputs = graph(*arguments, **named)
        tasks = pipeline_context.Pipeline.get_default_pipeline().tasks.values()
        for task in tasks:
            if task.container_spec is None:
                raise ValueError(
                    f"Task {task.name} must be a component; got a nested pipeline. Call its steps instead."
                )
            place(task, profile, image_lock.resolve(task.container_spec.image, lock, allow_tags=allow_tags), labels)
            if not cache:
                task.set_caching_options(False)
            if task.component_spec.name == "summary":
                task.set_env_variable(summary.STAGES_VARIABLE, ",".join(sorted(t.component_spec.name for t in tasks)))
        return outputs

    with fan_out.using(profile.crop):
        return dsl.pipeline(name=pipeline.name, description=pipeline.description)(everywhere)


def place(task: dsl.PipelineTask, profile: Profile, image: str, labels: Mapping[str, str]) -> None:
    """Gives one task its image, node, resources, workspace, retries and timeout.

    Args:
        task: of a component of ours.
        profile: of the cluster.
        image: the reference to run.
        labels: of the run, which its pod gets behind `expressnet/`. Kubeflow's cache does not look at them.
    """
    stage = task.component_spec.name
    step = profile.step(stage)
    step_class = image_lock.step_class(task.container_spec.image)
    task.set_container_image(image)
    task.set_cpu_request(step.cpu).set_cpu_limit(step.cpu_limit)
    task.set_memory_request(step.memory).set_memory_limit(step.memory_limit)
    # Argo ends attempts and gives up at this time after the first one began; Kubeflow's default is an hour, which
    # would leave a training of a day without a second attempt.
    task.set_retry(step.retries, f"{step.backoff_s}s", float(step.backoff_factor), f"{step.longest_s}s")
    kubernetes.set_timeout(task, step.timeout_s)
    kubernetes.set_security_context(task, run_as_user=_USER_ID, run_as_group=_USER_ID, run_as_non_root=True)
    kubernetes.mount_pvc(task, profile.workspace_claim, profile.workspace_path)
    kubernetes.add_pod_label(task, STAGE_LABEL, stage)
    kubernetes.add_pod_label(task, CLASS_LABEL, step_class)
    for name, value in labels.items():
        kubernetes.add_pod_label(task, f"{LABEL_PREFIX}{name}", value)
    _place_on(task, profile.pools[step.pool])
    # The journal of a run lies below its id, which only the pod knows; Kubernetes puts variables of fields behind
    # plain ones and so can't expand one in the other: `expressnet.runtime.console` does.
    kubernetes.use_field_path_as_env(task, _RUN_ID, "metadata.labels['pipeline/runid']")
    task.set_env_variable(journal.RUN_DIR_VARIABLE, f"{profile.workspace_path}/runs/${{{_RUN_ID}}}")
    task.set_env_variable("PYTHONUNBUFFERED", "1")
    if profile.registry_uri and step_class != "data":
        task.set_env_variable("MLFLOW_TRACKING_URI", profile.registry_uri)


def _place_on(task: dsl.PipelineTask, pool: Pool) -> None:
    for label, value in pool.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    if pool.affinity:
        kubernetes.add_node_affinity(task, match_expressions=[dict(rule) for rule in pool.affinity])
    for toleration in pool.tolerations:
        kubernetes.add_toleration(task, **toleration)
    if pool.queue:
        kubernetes.add_pod_label(task, _QUEUE_LABEL, pool.queue)
    if pool.accelerator:
        task.set_accelerator_type(pool.accelerator.resource).set_accelerator_limit(pool.accelerator.count)
    if pool.shared_memory:
        kubernetes.empty_dir_mount(
            task, volume_name="shm", mount_path="/dev/shm", medium="Memory", size_limit=pool.shared_memory
        )


def service_account(pipeline: Any, profile: Profile) -> str:
    """Returns the account of a run.

    Kubeflow knows one a run, so the one that the most trusted step needs; or the least trusted's, where the cluster
    gives each step its own.
    """
    executors = pipeline.pipeline_spec.deployment_spec["executors"].values()
    classes = {image_lock.step_class(executor["container"]["image"]) for executor in executors}
    choose = min if profile.account_per_step else max
    return profile.service_accounts[choose(classes, key=image_lock.STEP_CLASSES.index)]

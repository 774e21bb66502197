"""What only Kubernetes itself can tell: the logs of a step's pods, rights, nodes."""

from __future__ import annotations

import os
from typing import Any

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException

from pipelines.cluster import ClusterError, client, confidential, runs, settings
from pipelines.cluster.confidential import say
from pipelines.placement import STAGE_LABEL

TIMEOUTS_S = (5, 30)
_RUN_LABEL = "pipeline/runid"  # Kubeflow's own
_LAST_LINES = 5000


class KubeError(ClusterError):
    """Kubernetes can't be reached or refused.

    Attributes:
        status: of HTTP; 0 if nobody answered.
    """

    def __init__(self, message: str, status: int = 0):
        super().__init__(message)
        self.status = status


def connect() -> kubernetes.client.ApiClient:
    """Returns a client from the pod's own account, or else from the kubeconfig.

    Raises:
        KubeError: there is neither.
    """
    configuration = kubernetes.client.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
            kubernetes.config.load_incluster_config(configuration)
        else:
            # Named, because the library reads the variable once, when it is imported.
            kubernetes.config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=configuration)
    except kubernetes.config.ConfigException as error:
        raise KubeError(f"Kubernetes needs a kubeconfig (KUBECONFIG or ~/.kube/config): {error}.") from None
    configuration.retries = urllib3.Retry(3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504))
    return kubernetes.client.ApiClient(configuration)


def ask(method: Any, *arguments: Any, **named: Any) -> Any:
    """Calls a method of Kubernetes' client with a time-out.

    Raises:
        KubeError: it can't be reached or refuses.
    """
    try:
        return method(*arguments, **named, _request_timeout=TIMEOUTS_S)
    except ApiException as error:
        said = confidential.redact(str(error.reason))
        raise KubeError(f"Kubernetes refused {method.__name__} (HTTP {error.status}: {said}).", error.status) from None
    except urllib3.exceptions.HTTPError as error:
        raise KubeError(
            f"Kubernetes can't be reached ({type(error).__name__}). Is the kubeconfig's cluster up?"
        ) from None


def logs(wanted: str, step: str) -> int:
    """Prints what a step of a run said, the latest attempt last."""
    found = settings.read()
    with client.connect(found) as api:
        run = runs.find(api, wanted)
    core = kubernetes.client.CoreV1Api(connect())
    selector = f"{_RUN_LABEL}={run.run_id},{STAGE_LABEL}={step}"
    pods = ask(core.list_namespaced_pod, found.namespace, label_selector=selector).items
    if not pods:
        states = runs.steps(run)
        state = states[step][0] if step in states else f"not a step; steps are {', '.join(states)}"
        raise ClusterError(
            f"Run {run.display_name} has no pod of step {step} in namespace {found.namespace} ({state}). A "
            "reused step has none, and pods of old runs are removed; their logs may be in the bucket."
        )
    for pod in sorted(pods, key=lambda pod: pod.metadata.creation_timestamp):
        say(f"--- {pod.metadata.name}: {pod.status.phase}")
        say(
            ask(
                core.read_namespaced_pod_log,
                pod.metadata.name,
                found.namespace,
                container="main",
                tail_lines=_LAST_LINES,
            )
        )
    return 0

"""What talks to a Kubeflow Pipelines endpoint: submit, status, logs, cancel, compare, schedule, doctor."""

from pipelines.errors import RunError


class ClusterError(RunError):
    """The cluster refused, could not be reached, or was asked for nonsense; the message is for people."""

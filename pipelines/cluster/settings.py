"""Where the cluster is: `expressnet.yaml`, overruled by environment variables; secrets by the latter only."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import yaml

from pipelines.cluster import ClusterError

FILE = "expressnet.yaml"
AUTHS = ("none", "port-forward", "token", "dex", "iap")
TOKEN, COOKIE = "EXPRESSNET_TOKEN", "EXPRESSNET_COOKIE"
DEX_USERNAME, DEX_PASSWORD = "EXPRESSNET_DEX_USERNAME", "EXPRESSNET_DEX_PASSWORD"
_SECRETS = (TOKEN, COOKIE, DEX_USERNAME, DEX_PASSWORD)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How to reach a Kubeflow Pipelines endpoint, and what belongs to it.

    Attributes:
        host: of the API, e.g. https://kubeflow.example.org/pipeline; not needed with port-forward.
        namespace: of the runs: their pods, volumes, service accounts.
        kubeflow_namespace: of Kubeflow Pipelines itself, for port-forward.
        auth: none, port-forward, token (a bearer), dex or iap (Google's Identity-Aware Proxy).
        iap_client_id: of iap, the OAuth client of the proxy.
        ca_file: certificate authority of the endpoint, if it is a private one.
        bucket: gs://bucket/prefix for artifacts and checkpoints.
        profile: name in k8s/profiles, used where PROFILE= says nothing.
    """

    host: str = ""
    namespace: str = "expressnet"
    kubeflow_namespace: str = "kubeflow"
    auth: str = "none"
    iap_client_id: str = ""
    ca_file: str = ""
    bucket: str = ""
    profile: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _require(isinstance(value, str), field.name, "text", value)
        _require(self.auth in AUTHS, "auth", f"one of {', '.join(AUTHS)}", self.auth)
        _require(not self.host or "://" in self.host, "host", "a URL such as https://host/pipeline", self.host)
        _require(not self.bucket or self.bucket.startswith("gs://"), "bucket", "gs://bucket/prefix", self.bucket)
        _require(self.auth != "iap" or bool(self.iap_client_id), "iap_client_id", "set with auth iap", "")

    def under_bucket(self, folder: str) -> str:
        """Returns the URI of a folder in the bucket, "" without a bucket."""
        return f"{self.bucket.rstrip('/')}/{folder}" if self.bucket else ""


def read(folder: Path | None = None) -> Settings:
    """Reads `expressnet.yaml` of a folder (this one by default), then the variables EXPRESSNET_<NAME>.

    Raises:
        ClusterError: the file has an unknown key or a secret, or a value makes no sense.
    """
    path = (folder or Path.cwd()) / FILE
    found = _file(path) if path.is_file() else {}
    names = [field.name for field in dataclasses.fields(Settings)]
    given = {name: os.environ.get(f"EXPRESSNET_{name.upper()}", "") for name in names}
    return Settings(**{**found, **{name: value for name, value in given.items() if value}})


def _file(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ClusterError(f"{path} is not YAML: {error}") from error
    _require(isinstance(found, dict), str(path), "a mapping of keys to values", found)
    names = {field.name for field in dataclasses.fields(Settings)}
    unknown = sorted(set(map(str, found)) - names)
    if unknown:
        raise ClusterError(
            f"{path} may hold {', '.join(sorted(names))}; found was {', '.join(unknown)}. Secrets do not belong in a "
            f"file: set {', '.join(_SECRETS)}."
        )
    return found


def _require(condition: bool, name: str, requirement: str, value: Any) -> None:
    if not condition:
        raise ClusterError(f"{name} must be {requirement}; got {value!r} ({FILE} or EXPRESSNET_{name.upper()}).")

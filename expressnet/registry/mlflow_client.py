"""How we reach MLflow: sqlite in the workspace, or the server that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # a server that is not there is said within seconds
}.items():
    os.environ.setdefault(_name, _value)

# Only here, because MLflow reads the environment when it is imported first.
import mlflow  # noqa: E402
from mlflow.entities import Metric, Param  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

from expressnet.runtime import storage  # noqa: E402

__all__ = ["Metric", "MlflowException", "Param"]
URI_VARIABLE = "MLFLOW_TRACKING_URI"
CHAMPION_ALIAS, _HISTORY_TAG = "champion", "history_head"


def server() -> str:
    """Returns the address of the server that the user named, "" for sqlite in the workspace.

    Raises:
        ValueError: it is no address of a server.
    """
    uri = os.environ.get(URI_VARIABLE, "")
    if uri and urllib.parse.urlsplit(uri).scheme not in ("http", "https"):
        raise ValueError(
            f"{URI_VARIABLE} must be the http:// or https:// address of an MLflow server, or empty for sqlite in OUT; "
            f"got {without_secrets(uri)}."
        )
    return uri


def connect(workspace: Path) -> mlflow.MlflowClient:
    """Returns a client of the server, or of the workspace's own database, which is made where there is none.

    Raises:
        ValueError: MLFLOW_TRACKING_URI is no address of a server.
        ConnectionError: the server does not answer.
    """
    uri = server()
    # Clients of their own, because mlflow.set_tracking_uri would write into the environment of all that follows.
    if not uri:
        uri = f"sqlite:///{_ensured(workspace / 'mlflow.db')}"
        return mlflow.MlflowClient(uri, registry_uri=uri)
    client = mlflow.MlflowClient(uri, registry_uri=uri)
    try:
        client.search_registered_models(max_results=1)
    except MlflowException as error:
        said = str(error).replace(uri, without_secrets(uri))
        # Without the cause, which would write the password into the log.
        raise ConnectionError(
            f"The MLflow server {without_secrets(uri)} ({URI_VARIABLE}) does not answer as one: {said}"
        ) from None
    return client


class Alias:
    """MLflow's alias `champion`, and a tag that keeps the head of the history where the history does not lie."""

    def __init__(self, client: mlflow.MlflowClient, model_name: str):
        self._client, self._model_name = client, model_name
        self._seen: Any = None

    def anchor(self) -> str:
        """Returns what the tag says, "" without one."""
        found = self._client.search_registered_models(f"name = '{self._model_name}'")
        self._seen = found[0] if found else None
        return self._seen.tags.get(_HISTORY_TAG, "") if found else ""

    def follow(self, pointer: dict[str, Any], anchor: str) -> None:
        """Makes both say what the pointer says."""
        model = self._seen or self._client.get_registered_model(self._model_name)
        if str(model.aliases.get(CHAMPION_ALIAS)) != pointer["number"]:
            self._client.set_registered_model_alias(self._model_name, CHAMPION_ALIAS, pointer["number"])
        if model.tags.get(_HISTORY_TAG) != anchor:
            self._client.set_registered_model_tag(self._model_name, _HISTORY_TAG, anchor)


def _ensured(path: Path) -> Path:
    """Makes the tables under another name first.

    MLflow can't go on with tables that are half made, by a process that was killed or one that is at it.
    """
    with storage.lock(path.with_name(path.name + ".lock"), wait=True):
        if not path.exists():
            partial = path.with_name(path.name + storage.PARTIAL_SUFFIX)
            partial.unlink(missing_ok=True)
            uri = f"sqlite:///{partial}"
            mlflow.MlflowClient(uri, registry_uri=uri).search_registered_models(max_results=1)
            mlflow.MlflowClient(uri).search_experiments(max_results=1)
            partial.replace(path)
    return path


def without_secrets(uri: str) -> str:
    """Returns an address without the name and the password that it may hold."""
    parts = urllib.parse.urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def local_path(artifact_uri: str) -> Path | None:
    """Returns where artifacts lie if that is a folder of this machine."""
    parts = urllib.parse.urlsplit(artifact_uri)
    return Path(urllib.parse.unquote(parts.path)) if parts.scheme == "file" else None


def allow_existing(create: Callable[[], object]) -> None:
    """Creates what somebody else may have created already."""
    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise

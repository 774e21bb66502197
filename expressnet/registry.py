"""MLflow as the registry, and the champion pointer that is the truth behind its alias."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.exceptions import MlflowException

from expressnet import storage

CHAMPION = "champion"
_EXPERIMENT = "expressnet"
_DIGEST_TAG, _VERSION_TAG = "model_digest", "version_name"


class Version(NamedTuple):
    """A registered model: its name `YYYYMMDD-<digest8>`, MLflow's own number, the run that holds its files."""

    name: str
    number: str
    run_id: str
    model_digest: str


class Registry:
    """The registry of one workspace: `mlflow.db`, `mlartifacts/` and `registry/<model>/champion.json` in it."""

    def __init__(self, workspace: str | Path):
        self._workspace = Path(workspace).absolute()
        database = self._workspace / "mlflow.db"
        _ensure_database(database)
        mlflow.set_tracking_uri(f"sqlite:///{database}")
        self._client = mlflow.MlflowClient()

    def find(self, model_name: str, model_digest: str) -> Version | None:
        """Returns the version with this model digest, None if there is none."""
        query = f"name = '{model_name}' and tags.{_DIGEST_TAG} = '{model_digest}'"
        found = self._client.search_model_versions(query)
        return _version(found[0]) if found else None

    def register(
        self, model_name: str, version_name: str, model_digest: str, folders: dict[str, Path], *,
        params: dict[str, Any], metrics: dict[str, float], tags: dict[str, str],
    ) -> Version:  # fmt: skip
        """Stores folders as artifacts of a new MLflow run and makes it a version of `model_name`."""
        # An upload that was cut off leaves a run without a version; the next call makes a new run.
        with mlflow.start_run(experiment_id=self._experiment_id(), run_name=version_name) as run:
            mlflow.log_params(params)
            mlflow.log_metrics(metrics)
            mlflow.set_tags(tags)
            for artifact_path, folder in folders.items():
                mlflow.log_artifacts(str(folder), artifact_path)
        try:
            self._client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = self._client.create_model_version(
            model_name, source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id,
            tags={**tags, _DIGEST_TAG: model_digest, _VERSION_TAG: version_name},
        )  # fmt: skip
        return _version(created)

    def _experiment_id(self) -> str:
        experiment = self._client.get_experiment_by_name(_EXPERIMENT)
        if experiment:
            return str(experiment.experiment_id)
        location = (self._workspace / "mlartifacts").as_uri()
        return str(self._client.create_experiment(_EXPERIMENT, artifact_location=location))

    def model_dir(self, run_id: str) -> Path:
        """Returns the local folder of a registered model.

        Raises:
            FileNotFoundError: its files are gone.
        """
        try:
            return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="model"))
        except (MlflowException, OSError) as error:
            raise FileNotFoundError(
                f"The champion's files (MLflow run {run_id}) can't be read below {self._workspace}: {error}. "
                "Was the workspace moved or cleaned?"
            ) from error

    def _pointer(self, model_name: str) -> Path:
        return self._workspace / "registry" / model_name / "champion.json"

    def champion(self, model_name: str) -> dict[str, Any] | None:
        """Returns what the champion pointer says, None before the first promotion."""
        pointer = self._pointer(model_name)
        return storage.read_json(pointer) if pointer.exists() else None

    def champion_dir(self, model_name: str = "") -> Path:
        """Returns the local folder of a champion, of the only one if no name is given.

        Raises:
            FileNotFoundError: there is none, its files are gone, or nobody said which.
        """
        names = sorted(path.parent.name for path in self._workspace.glob("registry/*/champion.json"))
        wanted = [model_name] if model_name else names
        if len(wanted) != 1 or wanted[0] not in names:
            raise FileNotFoundError(
                f"{self._workspace} has the champions {', '.join(names) or '(none)'}; asked for was "
                f"{model_name or 'the only one'}. Name one, or train one first."
            )
        champion = self.champion(wanted[0])
        assert champion is not None
        return self.model_dir(champion["run_id"])

    def version_dir(self, version_name: str, model_name: str = "") -> Path:
        """Returns the local folder of a registered version, of any model if no name is given.

        Raises:
            FileNotFoundError: there is none, its files are gone, or several models have one of this name.
        """
        which = f" and name = '{model_name}'" if model_name else ""
        found = self._client.search_model_versions(f"tags.{_VERSION_TAG} = '{version_name}'{which}")
        if len(found) != 1:
            raise FileNotFoundError(
                f"{self._workspace} has {len(found)} versions {version_name} of {model_name or 'any model'}; one was "
                "asked for. `make registry` shows what there is; MODEL= names the model."
            )
        return self.model_dir(found[0].run_id)

    def set_champion(self, model_name: str, *, expected: dict[str, Any] | None, new: dict[str, Any]) -> None:
        """Swaps the pointer if it still says `expected`, then lets the alias follow.

        Raises:
            storage.ConflictError: somebody else promoted in between.
        """
        storage.compare_and_set(self._pointer(model_name), expected=expected, new=new)
        self.heal_alias(model_name)

    def heal_alias(self, model_name: str) -> None:
        """Makes MLflow's alias `champion` say what the pointer says."""
        champion = self.champion(model_name)
        if champion:
            self._client.set_registered_model_alias(model_name, CHAMPION, champion["number"])


def _ensure_database(path: Path) -> None:
    """Makes the tables under another name first.

    MLflow can't go on with tables that are half made, by a process that was killed or one that is at it.
    """
    with storage.lock(path.with_name(path.name + ".lock"), wait=True):
        if path.exists():
            return
        partial = path.with_name(path.name + storage.PARTIAL_SUFFIX)
        partial.unlink(missing_ok=True)
        uri = f"sqlite:///{partial}"
        mlflow.MlflowClient(uri, registry_uri=uri).search_registered_models(max_results=1)
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
        partial.replace(path)


def _version(found: Any) -> Version:
    return Version(found.tags[_VERSION_TAG], str(found.version), found.run_id, found.tags[_DIGEST_TAG])

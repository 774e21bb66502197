"""MLflow as the registry of versions, whose files are sealed, and the champions of a workspace."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from expressnet.artifacts.evaluation import PREDICTIONS_FILE, Evaluation
from expressnet.registry import champions, mlflow_client, sealed_files
from expressnet.registry.mlflow_client import Metric, MlflowException, Param
from expressnet.runtime import storage

MODEL, EVALUATION, CARD = "model", "evaluation", "card"
CARD_TEXT, PAGE_TEXT = f"{CARD}/card.md", f"{EVALUATION}/report.html"
_EXPERIMENT = "expressnet"
_DIGEST_TAG, _VERSION_TAG, _FILES_TAG = "model_digest", "version_name", "files_digest"
_VERSION_NAME = re.compile(r"\d{8}-[0-9a-f]{8}")


class Version(NamedTuple):
    """A registered model.

    Attributes:
        model_name: as expressnet-demo.
        name: `YYYYMMDD-<digest8>`.
        number: MLflow's own.
        run_id: of the run that holds its files.
        model_digest: see expressnet.inference.bundle.
        files_digest: SHA-256 of the list of all its files.
    """

    model_name: str
    name: str
    number: str
    run_id: str
    model_digest: str
    files_digest: str


class Registry:
    """The registry of one workspace.

    `registry/<model>/` of the workspace holds champion and history; versions and files lie in `mlflow.db` and
    `mlartifacts/`, or on the server.
    """

    def __init__(self, workspace: str | Path):
        """Opens the registry; makes the database where there is none.

        Raises:
            ValueError: MLFLOW_TRACKING_URI is no address of a server.
            ConnectionError: the server does not answer.
        """
        self._workspace = Path(workspace).absolute()
        self._server = mlflow_client.server()
        self._client = mlflow_client.connect(self._workspace)

    def find(self, model_name: str, model_digest: str) -> Version | None:
        """Returns the version with this model digest, None if there is none."""
        found = self._versions(f"name = '{model_name}' and tags.{_DIGEST_TAG} = '{model_digest}'")
        return found[0] if found else None

    def version(self, name: str, model_name: str = "") -> Version:
        """Returns the version of this name; the model's name is needed only where several have one.

        Raises:
            FileNotFoundError: there is none, or more than one.
        """
        named = self._versions(f"tags.{_VERSION_TAG} = '{name}'") if _VERSION_NAME.fullmatch(name) else []
        found = {each.model_name: each for each in named if model_name in ("", each.model_name)}
        if len(found) != 1:
            there = ", ".join(f"{each.model_name} {each.name}" for each in self._versions("")) or "(none)"
            raise FileNotFoundError(
                f"VERSION={name or '(none)'}{f' MODEL={model_name}' if model_name else ''} must name one version of "
                f"{self._place()}; there are {there}."
            )
        return next(iter(found.values()))

    def tags(self, version: Version) -> dict[str, str]:
        """Returns the digests and other facts that a version was registered with."""
        return dict(self._client.get_model_version(version.model_name, version.number).tags)

    def _versions(self, query: str) -> list[Version]:
        """Returns versions, the first ones first; those of earlier programs, whose files have no digests, are none."""
        found = self._client.search_model_versions(query, order_by=["version_number ASC"])
        return [_version(each) for each in found if _FILES_TAG in each.tags]

    def register(
        self,
        model_name: str,
        version_name: str,
        model_digest: str,
        folders: Mapping[str, Path],
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> Version:
        """Stores folders as artifacts of a new MLflow run, seals them, and makes it a version of `model_name`."""
        listed, experiment_id = sealed_files.seal(folders), self._experiment_id()
        self._remove_remnants(experiment_id, model_digest)
        run = self._client.create_run(experiment_id, run_name=version_name, tags={**tags, _DIGEST_TAG: model_digest})
        run_id, now = run.info.run_id, int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            [Metric(name, value, now, 0) for name, value in metrics.items()],
            [Param(name, str(value)) for name, value in params.items()],
        )
        for artifact_path, folder in folders.items():
            self._client.log_artifacts(run_id, str(folder), artifact_path)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / sealed_files.FILE_NAME
            storage.write_json(path, listed)
            self._client.log_artifact(run_id, str(path))
            files_digest = storage.file_sha256(path)
        self._client.set_terminated(run_id)
        mlflow_client.allow_existing(lambda: self._client.create_registered_model(model_name))
        created = self._client.create_model_version(
            model_name,
            source=f"{run.info.artifact_uri}/{MODEL}",
            run_id=run_id,
            tags={**tags, _DIGEST_TAG: model_digest, _VERSION_TAG: version_name, _FILES_TAG: files_digest},
        )
        return _version(created)

    def _experiment_id(self) -> str:
        if not (experiment := self._client.get_experiment_by_name(_EXPERIMENT)):
            location = None if self._server else (self._workspace / "mlartifacts").as_uri()
            mlflow_client.allow_existing(
                lambda: self._client.create_experiment(_EXPERIMENT, artifact_location=location)
            )
            experiment = self._client.get_experiment_by_name(_EXPERIMENT)
        return str(experiment.experiment_id)

    def _remove_remnants(self, experiment_id: str, model_digest: str) -> None:
        """Deletes the runs of calls that were killed before they had made a version of the same model."""
        for run in self._client.search_runs([experiment_id], f"tags.{_DIGEST_TAG} = '{model_digest}'"):
            if not self._client.search_model_versions(f"run_id = '{run.info.run_id}'"):
                self._client.set_terminated(run.info.run_id, "KILLED")
                self._client.delete_run(run.info.run_id)
                if folder := mlflow_client.local_path(run.info.artifact_uri):
                    shutil.rmtree(folder, ignore_errors=True)

    def model_dir(self, run_id: str, files_digest: str = "") -> Path:
        """Returns the local folder of a registered model, after its files were checked.

        Args:
            run_id: of the version.
            files_digest: what a champion's record says of its files; "" trusts the version's own tag.

        Raises:
            FileNotFoundError: its files are gone.
            sealed.DamagedError: a file is not what was registered.
        """
        return self._checked(run_id, MODEL, self._workspace / "models" / run_id, files_digest)

    def evaluation(self, run_id: str) -> tuple[Evaluation, pd.DataFrame]:
        """Returns what was measured of a registered model and its predictions, after the files were checked.

        Raises:
            FileNotFoundError: the files are gone.
            sealed.DamagedError: a file is not what was registered.
        """
        with self._scratch() as scratch:
            folder = self._checked(run_id, EVALUATION, Path(scratch) / "fetched")
            predictions = pd.read_parquet(folder / PREDICTIONS_FILE)
            return Evaluation.read(folder), predictions

    def text(self, run_id: str, path: str) -> str:
        """Returns a stored text, such as CARD_TEXT, after its files were checked; raises as `evaluation` does."""
        name, _, file = path.partition("/")
        with self._scratch() as scratch:
            return (self._checked(run_id, name, Path(scratch) / "fetched") / file).read_text()

    def _scratch(self) -> tempfile.TemporaryDirectory:
        # Below the workspace, because /tmp may be small; named so that the next run sweeps what a kill leaves.
        (self._workspace / "work").mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(suffix=storage.PARTIAL_SUFFIX, dir=self._workspace / "work")

    def _checked(self, run_id: str, name: str, fetch_to: Path, files_digest: str = "") -> Path:
        """Returns one of the sealed folders: where it lies if that is here, else a copy below `fetch_to`."""
        found = self._versions(f"run_id = '{run_id}'")
        if not found:
            raise FileNotFoundError(f"{self._place()} has no version with sealed files of the MLflow run {run_id}.")
        artifact_uri = self._client.get_run(run_id).info.artifact_uri
        folder = mlflow_client.local_path(artifact_uri) or fetch_to
        try:
            if folder == fetch_to:
                self._fetch(run_id, name, fetch_to)
            listed = sealed_files.read(folder / sealed_files.FILE_NAME, files_digest or found[0].files_digest)
            if not (folder / name).is_dir():
                raise FileNotFoundError(f"{folder / name} is not there")
        except (MlflowException, OSError) as error:
            raise FileNotFoundError(
                f"The files of {found[0].model_name} {found[0].name} (MLflow run {run_id}) can't be read from "
                f"{self._place()}: {error}. Was the workspace moved or cleaned?"
            ) from error
        sealed_files.require_unchanged(folder / name, name, listed)
        return folder / name

    def _fetch(self, run_id: str, name: str, to: Path) -> None:
        with storage.lock(to.with_name(to.name + ".lock"), wait=True):
            if not (to / sealed_files.FILE_NAME).exists():
                with storage.committed_dir(to) as partial:
                    for path in (name, sealed_files.FILE_NAME):
                        self._client.download_artifacts(run_id, path, str(partial))

    def _place(self) -> str:
        return mlflow_client.without_secrets(self._server) if self._server else str(self._workspace)

    def champions(self, model_name: str) -> champions.Champions:
        """Returns pointer and history of one model name."""
        return champions.Champions(self._folder(model_name), mlflow_client.Alias(self._client, model_name))

    def _folder(self, model_name: str) -> Path:
        return self._workspace / "registry" / model_name

    def model_name(self, wanted: str = "") -> str:
        """Returns the name of a model that has a champion, of the only one if none is given.

        Raises:
            FileNotFoundError: there is none, or nobody said which.
        """
        names = sorted(path.parent.name for path in self._workspace.glob(f"registry/*/{champions.HISTORY_FOLDER}"))
        if len(asked := [wanted] if wanted else names) != 1 or asked[0] not in names:
            raise FileNotFoundError(
                f"{self._workspace} has the champions {', '.join(names) or '(none)'}; asked for was "
                f"{wanted or 'the only one'}. Name one, or train one first."
            )
        return asked[0]

    def champion(self, model_name: str) -> dict[str, Any] | None:
        """Returns what the champion pointer says, None before the first promotion."""
        return self.champions(model_name).current()

    def champion_dir(self, model_name: str = "") -> Path:
        """Returns the local folder of a champion, of the only one if no name is given, after its files were checked.

        Raises:
            FileNotFoundError: there is none, its files are gone, or nobody said which.
            sealed.DamagedError: a file is not what was registered.
        """
        champion = self.champion(self.model_name(model_name))
        if champion is None:
            raise FileNotFoundError(f"{self._workspace} lost its champion.json; `make history` says more.")
        return self.model_dir(champion["run_id"], champion["files_digest"])


def _version(found: Any) -> Version:
    tags = found.tags
    return Version(
        found.name, tags[_VERSION_TAG], str(found.version), found.run_id, tags[_DIGEST_TAG], tags[_FILES_TAG]
    )

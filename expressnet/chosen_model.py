"""The registered model that answers: the champion, or the version that somebody asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from expressnet import bundle, registry, storage
from expressnet.config.crop import CropConfig
from expressnet.config.predict import ModelChoice


class Chosen(NamedTuple):
    """A registered model, loaded.

    Attributes:
        model: to predict with.
        model_name: in the registry.
        version: its name there.
        model_digest: see expressnet.bundle.
        provenance: what it was made of.
    """

    model: bundle.Bundle
    model_name: str
    version: str
    model_digest: str
    provenance: dict[str, Any]

    @property
    def crop(self) -> CropConfig:
        """How the faces were cut that it was trained on."""
        return CropConfig(**self.model.preprocess["crop"])


def load(workspace: Path, choice: ModelChoice) -> Chosen:
    """Loads a model out of a workspace's registry.

    Raises:
        FileNotFoundError: there is no workspace, no champion or no such version.
    """
    if not workspace.is_dir():
        raise FileNotFoundError(f"There is no workspace at {workspace}. Is OUT= the folder that the runs were given?")
    models = registry.Registry(workspace)
    folder = models.version_dir(choice.version, choice.model) if choice.version else models.champion_dir(choice.model)
    digest = bundle.digest(folder)
    provenance = storage.read_json(folder / bundle.PROVENANCE_FILE)
    name = choice.model or f"expressnet-{provenance['dataset_id']}"
    found = models.find(name, digest)
    if found is None:
        raise FileNotFoundError(
            f"{workspace} has no version of {name} with the digest {digest} of the files in {folder}."
        )
    return Chosen(bundle.Bundle(folder), name, found.name, digest, provenance)

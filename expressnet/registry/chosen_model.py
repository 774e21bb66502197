"""The registered model that answers: the champion, or the version that somebody asked for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from expressnet.artifacts.provenance import Provenance
from expressnet.config.crop import CropConfig
from expressnet.config.predict import ModelChoice
from expressnet.inference import bundle
from expressnet.registry import registry


class Chosen(NamedTuple):
    """A registered model, loaded.

    Attributes:
        model: to predict with.
        model_name: in the registry.
        version: its name there.
        model_digest: see expressnet.inference.bundle.
        provenance: what it was made of.
    """

    model: bundle.Bundle
    model_name: str
    version: str
    model_digest: str
    provenance: Provenance

    @property
    def crop(self) -> CropConfig:
        """How the faces were cut that it was trained on."""
        return CropConfig(**self.model.preprocess.crop)


def load(workspace: Path, choice: ModelChoice) -> Chosen:
    """Loads a model out of a workspace's registry.

    Raises:
        FileNotFoundError: there is no workspace, no champion or no such version.
        sealed.DamagedError: a file is not what was registered.
    """
    if not workspace.is_dir():
        raise FileNotFoundError(f"There is no workspace at {workspace}. Is OUT= the folder that the runs were given?")
    models = registry.Registry(workspace)
    if choice.version:
        named = models.version(choice.version, choice.model)
        name, version, digest = named.model_name, named.name, named.model_digest
        folder = models.model_dir(named.run_id)
    else:
        folder = models.champion_dir(choice.model)
        champion = models.champion(models.model_name(choice.model))
        assert champion is not None  # champion_dir would have said so
        name, version, digest = (champion[key] for key in ("model_name", "version", "model_digest"))
    return Chosen(bundle.Bundle(folder), name, version, digest, Provenance.read(folder))

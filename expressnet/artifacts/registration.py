"""What register says of a registered model."""

from __future__ import annotations

from typing import ClassVar

from expressnet.artifacts.stored import Stored


class Registration(Stored):
    """The entry of a model in the registry.

    Attributes:
        model_name, version: its names there; `number` is MLflow's.
        run_id: of MLflow.
        model_digest, files_digest: of the model, and of all its files.
        is_new: whether this run registered it.
    """

    FILE: ClassVar[str] = "registration.json"

    model_name: str
    version: str
    number: int | str
    run_id: str
    model_digest: str
    files_digest: str
    is_new: bool

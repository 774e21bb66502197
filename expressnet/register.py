"""Puts a trained and evaluated model into the registry, once."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from expressnet import console, registry, storage

REGISTRATION_FILE = "registration.json"
_DIGESTS = ("dataset_digest", "crops_digest", "split_digest", "config_digest", "code_digest")


def run(model_dir: str, evaluation_dir: str, out_dir: str, workspace: str) -> dict[str, Any]:
    """Registers the model with its evaluation; a model that is already registered stays as it is.

    Returns:
        The report: model name, version name `YYYYMMDD-<digest8>`, MLflow's number and whether it is new.
    """
    provenance = storage.read_json(Path(model_dir) / "provenance.json")
    evaluation = storage.read_json(Path(evaluation_dir) / "evaluation.json")
    model_name, model_digest = f"expressnet-{provenance['dataset_id']}", evaluation["model_digest"]
    models = registry.Registry(workspace)
    with storage.lock(Path(workspace) / "registry" / ".register.lock", wait=True):
        version = models.find(model_name, model_digest)
        is_new = version is None
        if version is None:
            today = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
            figures = evaluation["metrics"]
            version = models.register(
                model_name, f"{today}-{model_digest[:8]}", model_digest,
                {"model": Path(model_dir), "evaluation": Path(evaluation_dir)},
                params={name: value for name, value in provenance["config"].items() if not isinstance(value, dict)},
                metrics={name: figures[name]["value"] for name in evaluation["headlines"]},
                tags={name: provenance[name] for name in (*_DIGESTS, "protocol", "licence", "backbone_weights")},
            )  # fmt: skip
    report = {"model_name": model_name, "version": version.name, "number": version.number, "run_id": version.run_id,
              "model_digest": model_digest, "is_new": is_new}  # fmt: skip
    with storage.committed_dir(out_dir) as partial:
        storage.write_json(partial / REGISTRATION_FILE, report)
    console.say(f"{model_name} {version.name} " + ("registered" if is_new else "was registered before; nothing to do"))
    return report

"""Puts a trained and evaluated model into the registry, once, with its card and the digests of all its files."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

from expressnet.artifacts.evaluation import Evaluation
from expressnet.artifacts.provenance import Provenance
from expressnet.artifacts.registration import Registration
from expressnet.registry import model_card, registry
from expressnet.runtime import code_version, console, storage


def run(model_dir: str, evaluation_dir: str, out_dir: str, workspace: str) -> Registration:
    """Registers the model with its evaluation; a model that is already registered stays as it is.

    Returns:
        The report; versions are named `YYYYMMDD-<digest8>`.

    Raises:
        ConnectionError: the MLflow server that the user named does not answer.
    """
    provenance, evaluation = Provenance.read(model_dir), Evaluation.read(evaluation_dir)
    model_name, model_digest = f"expressnet-{provenance.dataset_id}", evaluation.model_digest
    models = registry.Registry(workspace)
    with storage.lock(Path(workspace) / "registry" / ".register.lock", wait=True):
        version = models.find(model_name, model_digest)
        is_new = version is None
        if version is None:
            version = _register(models, model_name, evaluation, provenance, Path(model_dir), Path(evaluation_dir))
    report = Registration(
        model_name=model_name,
        version=version.name,
        number=version.number,
        run_id=version.run_id,
        model_digest=model_digest,
        files_digest=version.files_digest,
        is_new=is_new,
    )
    with storage.committed_dir(out_dir) as partial:
        report.write(partial)
    console.say(f"{model_name} {version.name} " + ("registered" if is_new else "was registered before; nothing to do"))
    return report


def _register(
    models: registry.Registry,
    model_name: str,
    evaluation: Evaluation,
    provenance: Provenance,
    model_dir: Path,
    evaluation_dir: Path,
) -> registry.Version:
    today = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    version_name = f"{today}-{evaluation.model_digest[:8]}"
    known = provenance.as_dict()
    digests = {
        **{name: known[name] for name in model_card.DIGESTS},
        "lock_digest": code_version.lock_digest(),
        "commit": code_version.commit(),
    }
    with tempfile.TemporaryDirectory() as folder:
        text = model_card.markdown(
            f"{model_name} {version_name}",
            evaluation.as_dict(),
            known,
            {"model_digest": evaluation.model_digest, **digests},
        )
        (Path(folder) / model_card.FILE_NAME).write_text(text)
        return models.register(
            model_name,
            version_name,
            evaluation.model_digest,
            {registry.MODEL: model_dir, registry.EVALUATION: evaluation_dir, registry.CARD: Path(folder)},
            params={name: value for name, value in provenance.config.items() if not isinstance(value, dict)},
            metrics={name: evaluation.metrics[name]["value"] for name in evaluation.headlines},
            tags={**digests, **{name: known[name] for name in ("protocol", "licence", "backbone_weights")}},
        )

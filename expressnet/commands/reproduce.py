"""What reproduces a registered model: the commands, and whether code, packages and data are the same here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.provenance import Preprocess, Provenance
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.config.ingest import IngestConfig
from expressnet.config.options import recorded
from expressnet.config.split import SplitConfig
from expressnet.config.train import recipe
from expressnet.data import manifest
from expressnet.registry import registry
from expressnet.runtime import code_version
from expressnet.runtime import workspace as folders

_SAME, _OTHER = "the same", "ANOTHER"
_ALWAYS = ("dataset", "protocol", "preset", "seed")  # are said even where they are the usual ones


def run(workspace: str | Path, version_name: str, model_name: str = "") -> dict[str, Any]:
    """Compares what is here with what made a version.

    Args:
        workspace: where the registry is.
        version_name: `YYYYMMDD-<digest8>`.
        model_name: needed only where several models have a version of that name.

    Returns:
        `commands`, lines to type; `checks`, what was compared, in words; `is_same`, whether nothing was another.

    Raises:
        FileNotFoundError: there is no such version, or its files are gone.
        sealed.DamagedError: a file is not what was registered.
    """
    models = registry.Registry(workspace)
    version = models.version(version_name, model_name)
    folder, tags = models.model_dir(version.run_id), models.tags(version)
    provenance, preprocess = Provenance.read(folder), Preprocess.read(folder)
    data = folders.dataset(workspace, provenance.dataset_digest)
    found = {
        "code": _compared(provenance.code_digest, code_version.digest("stages.train")),
        "packages": _compared(tags.get("lock_digest", ""), code_version.lock_digest()),
        "data": _dataset(data, provenance.dataset_digest),
    }
    return {
        "commands": [*_checkout(tags.get("commit", "")), _make(provenance, preprocess, data)],
        "checks": {
            **found,
            "weights": f"the run must end with the model digest {version.model_digest}, on a processor "
            "of the same kind",
        },
        "is_same": not any(text.startswith(_OTHER) for text in found.values()),
    }


def _compared(wanted: str, here: str) -> str:
    if not wanted or not here:
        return f"not known {'then' if not wanted else 'here'}"
    return f"{_SAME} ({here[:8]})" if wanted == here else f"{_OTHER}: {wanted[:8]} then, {here[:8]} here"


def _dataset(folder: Path, wanted: str) -> str:
    if not DatasetInfo.path(folder).exists():
        return f"not in this workspace; `make run` reads it again and names it by its digest, {wanted[:8]}"
    info = DatasetInfo.read(folder)
    return _compared(wanted, manifest.dataset_digest(manifest.read(folder), info.dataset_id, info.classes))


def _checkout(commit: str) -> list[str]:
    if not commit:
        return []
    changed = "  # and the changes that were not committed then" if commit.endswith("+") else ""
    return [f"git checkout {commit.removesuffix('+')}{changed}"]


def _make(provenance: Provenance, preprocess: Preprocess, data: Path) -> str:
    """Returns the `make run` with the settings that the model keeps; where the data lay it does not know."""
    info = DatasetInfo.read(data).as_dict() if DatasetInfo.path(data).exists() else {}
    # What the model keeps of the settings of each stage, and what they are where nobody says anything.
    stored: list[tuple[Any, dict[str, Any]]] = [
        # The demo set's licence asks for nothing.
        (IngestConfig(licence_accepted=provenance.dataset == "demo"), {**info, "dataset": provenance.dataset}),
        (CropConfig.of_run(protocol=provenance.protocol), preprocess.crop),
        (SplitConfig(), {"protocol": provenance.protocol, **provenance.split_config}),
        (recipe(provenance.config["preset"]), provenance.config),
    ]
    settings: dict[str, Any] = {}
    for usual, fields in stored:
        own, usual_ones = recorded(type(usual), fields), recorded(type(usual), digest_fields(usual))
        settings |= {name: value for name, value in own.items() if name in _ALWAYS or value != usual_ones.get(name)}
    words = [f"{name.upper()}={shlex.quote(_spelled(value))}" for name, value in settings.items()]
    if provenance.dataset != "demo":
        words.append("DATA_URI=<where your copy lies>")
    if provenance.kept_from:
        words.append("SPLIT_FILE=<the split.csv of that run>")
    if provenance.config["backbone_sha256"]:
        words.append("BACKBONE_WEIGHTS=<the file with that SHA-256>")
    return f"make run PIPELINE=train {' '.join(words)}"


def _spelled(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)

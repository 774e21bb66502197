"""What Kubeflow's run view shows of an artifact: it reads the metadata, not the file."""

from __future__ import annotations

import math
from typing import Any

from expressnet import storage


def finite(figures: dict[str, float]) -> dict[str, float | str]:
    """Returns figures as plain floats, without those that are no numbers.

    One NaN or infinity in its metadata fails a task, so they are left out, and named under `not_finite`.
    """
    plain = {name: float(value) for name, value in figures.items()}
    missing = [name for name, value in plain.items() if not math.isfinite(value)]
    kept: dict[str, float | str] = {name: value for name, value in plain.items() if name not in missing}
    return {**kept, "not_finite": ", ".join(missing)} if missing else kept


def keep(*artifacts: Any) -> None:
    """Writes the metadata of artifacts into their files.

    kfp.local's cache takes an artifact without a file for a lost one and runs the task again.
    """
    for artifact in artifacts:
        storage.write_json(artifact.path, artifact.metadata)

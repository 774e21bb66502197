"""`compare`: what differs between two runs in settings, outcome and figures."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import kfp_server_api

from expressnet.evaluation.metrics import HEADLINES
from pipelines.cluster import ClusterError, client, confidential, runs, settings, tables
from pipelines.cluster.confidential import say

_EVALUATION = "/evaluation/evaluation.json"


def run(one: str, other: str) -> int:
    """Prints the differences of two runs side by side."""
    found = settings.read()
    with client.connect(found) as api:
        pair = [runs.find(api, wanted) for wanted in (one, other)]
        figures = [_figures(api, run) for run in pair]
    rows = differences(*(_facts(run) for run in pair))
    rows += [(name, *(f"{each[name]:.4f}" if name in each else "-" for each in figures)) for name in HEADLINES]
    say(tables.render(("", *(run.display_name for run in pair)), rows))
    if not all(figures):
        say("-: no evaluation below the run's own folder in the bucket (not evaluated, or reused from another run)")
    return 0


def _facts(run: kfp_server_api.V2beta1Run) -> dict[str, str]:
    version = run.pipeline_version_reference
    facts = {"state": run.state, "pipeline version": version.pipeline_version_id if version else "-"}
    facts |= dict(line.split("=", 1) for line in (run.description or "").splitlines() if "=" in line)
    facts |= {
        name: str(value) for name, value in ((run.runtime_config and run.runtime_config.parameters) or {}).items()
    }
    facts |= {f"{name} took": f"{state} {minutes} min" for name, (state, minutes) in runs.steps(run).items()}
    return {name: str(value) for name, value in facts.items()}


def differences(left: dict[str, str], right: dict[str, str]) -> list[tuple[str, str, str]]:
    """Returns (name, left, right) where the two say different things; - where one says nothing."""
    names = list(dict.fromkeys([*left, *right]))
    return [(n, left.get(n, "-"), right.get(n, "-")) for n in names if left.get(n) != right.get(n)]


def _figures(api: client.Api, run: kfp_server_api.V2beta1Run) -> dict[str, float]:
    """Returns the headline figures that the run's evaluation left in the bucket, {} if there are none."""
    root = (run.runtime_config and run.runtime_config.pipeline_root) or ""
    version = run.pipeline_version_reference
    if not root.startswith("gs://") or not version:
        return {}
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.exceptions import GoogleCloudError

    from expressnet.sources import bucket

    name, _, prefix = root.removeprefix("gs://").partition("/")
    pipeline = api.pipelines.pipeline_service_get_pipeline(version.pipeline_id).display_name
    # Kubeflow puts artifacts to <root>/<pipeline>/<run id>/<task>/<execution>/<artifact>.
    folder = f"{prefix}/{pipeline}/{run.run_id}/".lstrip("/")
    try:
        with contextlib.closing(bucket.client()) as store:
            blobs = [blob for blob in store.list_blobs(name, prefix=folder) if blob.name.endswith(_EVALUATION)]
            latest = max(blobs, key=lambda blob: blob.time_created, default=None)
            whole: dict[str, Any] = json.loads(latest.download_as_bytes()) if latest else {}
    except (GoogleCloudError, GoogleAuthError, OSError) as error:
        raise ClusterError(f"The bucket {name} can't be read: {confidential.redact(str(error))}") from None
    return {figure: float(whole["metrics"][figure]["value"]) for figure in HEADLINES if whole}

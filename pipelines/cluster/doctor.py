"""`doctor`: what of the cluster is ready, and how to repair the rest; a line for each."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipelines import catalog, image_lock, placement, profiles
from pipelines.cluster import ClusterError, client, confidential, settings
from pipelines.cluster.confidential import say
from pipelines.cluster.examinations import kubernetes_lines
from pipelines.cluster.findings import FAILED, OK, WARNING, Finding

_REGISTRY_TIMEOUT_S = 10
_DOCKER, _OCI = "application/vnd.docker.distribution.manifest", "application/vnd.oci.image"
_MANIFESTS = f"{_OCI}.index.v1+json, {_OCI}.manifest.v1+json, {_DOCKER}.list.v2+json, {_DOCKER}.v2+json"


class _Where(NamedTuple):
    found: settings.Settings
    profile: profiles.Profile


def run(profile_name: str) -> int:
    """Prints a line for every thing that a run needs; returns 1 if one of them fails."""
    found = settings.read()
    where = _Where(found, profiles.read(profile_name or found.profile))
    findings = []
    for examination in (_endpoint, _kubernetes, _image_lock, _bucket):
        for finding in _survived(examination, where):
            say(f"{finding.state:<8}{finding.what}{f'  -> {finding.fix}' if finding.fix else ''}")
            findings.append(finding)
    num_failed = sum(finding.state == FAILED for finding in findings)
    num_warnings = sum(finding.state == WARNING for finding in findings)
    say(f"{num_failed} failed, {num_warnings} warnings, {len(findings) - num_failed - num_warnings} ok")
    return 1 if num_failed else 0


def _survived(examination: Callable[[_Where], Iterator[Finding]], where: _Where) -> Iterator[Finding]:
    """Yields the findings of an examination; what ends it is a finding too."""
    try:
        yield from examination(where)
    except ClusterError as error:
        yield Finding(FAILED, examination.__name__.strip("_").replace("_", " "), str(error))


def _endpoint(where: _Where) -> Iterator[Finding]:
    with client.connect(where.found) as api:
        kind = "multi-user" if api.health.multi_user else "single-user"
        version = api.server_version() or "it does not tell its version"
        yield Finding(OK, f"endpoint {api.host}: Kubeflow Pipelines, {kind}, {version}")
        api.runs.run_service_list_runs(page_size=1, **client.scope(api))
        yield Finding(OK, f"auth {where.found.auth}: runs can be listed")


def _kubernetes(where: _Where) -> Iterator[Finding]:
    pipelines = [catalog.load(name) for name in catalog.NAMES]
    accounts = {placement.service_account(pipeline, where.profile) for pipeline in pipelines}
    if where.profile.account_per_step:
        accounts |= set(where.profile.service_accounts.values())
    yield from kubernetes_lines(where.found, where.profile, sorted(accounts))


def _image_lock(where: _Where) -> Iterator[Finding]:
    lock = image_lock.read_lock()
    if not lock:
        yield Finding(FAILED, f"no {image_lock.LOCK.name}", "make images PUSH=1 REGISTRY=...")
        return
    stale = image_lock.why_stale(lock)
    if stale:
        yield Finding(FAILED, f"images: {stale}", "make images PUSH=1")
    for name, reference in sorted(lock["images"].items()):
        yield _image(name, reference)


def _image(name: str, reference: str) -> Finding:
    """Asks the registry for an image's manifest, without credentials."""
    import requests

    repository, _, digest = reference.partition("@")
    host, _, path = repository.partition("/")
    if not digest or not re.search("[.:]", host):
        return Finding(
            FAILED, f"image {name}: {reference}", "it must be host/path@sha256:...; run `make images PUSH=1`"
        )
    scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    try:
        answer = requests.head(
            f"{scheme}://{host}/v2/{path}/manifests/{digest}",
            timeout=_REGISTRY_TIMEOUT_S,
            headers={"Accept": _MANIFESTS},
            allow_redirects=True,
        )
    except requests.RequestException as error:
        return Finding(FAILED, f"image {name}: {host} can't be reached ({type(error).__name__})", "is the name right?")
    if answer.status_code == 404:
        return Finding(FAILED, f"image {name}: {host} does not have {digest[:19]}", "make images PUSH=1")
    if answer.status_code in (401, 403):
        return Finding(
            WARNING, f"image {name}: {host} wants a login, so nothing is known", "nodes must be able to pull"
        )
    good = answer.status_code == 200
    return Finding(
        OK if good else FAILED,
        f"image {name}: HTTP {answer.status_code} from {host}",
        "" if good else "look at the registry",
    )


def _bucket(where: _Where) -> Iterator[Finding]:
    if not where.found.bucket:
        yield Finding(WARNING, "no bucket", "set bucket: gs://..., so that checkpoints outlive a volume")
        return
    from google.api_core.exceptions import PreconditionFailed
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.exceptions import GoogleCloudError

    from expressnet.sources import bucket

    name = where.found.bucket.removeprefix("gs://").split("/")[0]
    uri = where.found.under_bucket(f"doctor/{uuid.uuid4().hex}")
    try:
        with contextlib.closing(bucket.client()) as store:
            blob = store.bucket(name).blob(uri.removeprefix(f"gs://{name}/"))
            blob.upload_from_string(b"", if_generation_match=0)
            try:
                blob.upload_from_string(b"", if_generation_match=0)
                refuses = False
            except PreconditionFailed:
                refuses = True
            blob.delete()
    except (GoogleCloudError, GoogleAuthError, OSError) as error:
        said = confidential.redact(str(error)).splitlines()[0][:200]
        yield Finding(FAILED, f"bucket {name}: {said}", "roles/storage.objectUser on it, and the name right?")
        return
    if refuses:
        yield Finding(OK, f"bucket {name}: written with a precondition, and deleted")
    else:
        yield Finding(FAILED, f"bucket {name} ignores preconditions", "two writers would overwrite each other; use GCS")

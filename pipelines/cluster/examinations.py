"""What the doctor asks Kubernetes: rights, accounts, the volume, nodes, quota, the registry."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import kubernetes
from kubernetes.utils.quantity import parse_quantity

from pipelines.cluster import kube
from pipelines.cluster.findings import FAILED, OK, WARNING, Finding
from pipelines.cluster.settings import Settings
from pipelines.profiles import Profile

POLICY = "expressnet-step-accounts"  # and its binding, in k8s/overlays/step-accounts
# verb, resource, what it is for
_RIGHTS = (("list", "pods", "make logs"), ("get", "pods/log", "make logs"))


def kubernetes_lines(found: Settings, profile: Profile, accounts: list[str]) -> Iterator[Finding]:
    """Yields what Kubernetes says about the namespace of the runs.

    Raises:
        kube.KubeError: it can't be reached.
    """
    api = kube.connect()
    core, namespace = kubernetes.client.CoreV1Api(api), found.namespace
    yield _exists(f"namespace {namespace}", "kubectl apply -k k8s/overlays/...", core.read_namespace, namespace)
    for account in accounts:
        yield _exists(
            f"service account {account}",
            "kubectl apply -k k8s/overlays/...",
            core.read_namespaced_service_account,
            account,
            namespace,
        )
    if profile.account_per_step:
        yield from _step_accounts(api, namespace)
    yield from _rights(api, found)
    yield _volume(core, profile, namespace)
    yield from _gpus(core, profile)
    yield from _quota(core, profile, namespace)
    yield from _registry(core, profile, namespace)


def _exists(what: str, fix: str, read: object, *arguments: str) -> Finding:
    try:
        kube.ask(read, *arguments)
    except kube.KubeError as error:
        return _refused(error, what, fix)
    return Finding(OK, what)


def _refused(error: kube.KubeError, what: str, fix: str) -> Finding:
    """Turns a refusal into a finding; nobody there at all ends the examination."""
    if error.status == 404:
        return Finding(FAILED, f"{what}: not there", fix)
    if error.status == 403:
        return Finding(WARNING, f"{what}: this user may not look", "ask whoever set the namespace up")
    raise error


def _step_accounts(api: kubernetes.client.ApiClient, namespace: str) -> Iterator[Finding]:
    """Looks for what gives each step its account; without it all steps have the least trusted one."""
    read = kubernetes.client.CustomObjectsApi(api).get_cluster_custom_object
    fix = "kubectl apply -k k8s/overlays/step-accounts (Kubernetes 1.36), or account_per_step: false"
    for kind, plural in (("policy", "mutatingadmissionpolicies"), ("binding", "mutatingadmissionpolicybindings")):
        what = f"admission {kind} {POLICY}"
        try:
            there = kube.ask(read, "admissionregistration.k8s.io", "v1", plural, POLICY)
        except kube.KubeError as error:
            yield _refused(error, what, fix)
            continue
        selector = there["spec"].get("matchConstraints", {}).get("namespaceSelector", {}).get("matchLabels", {})
        meant = selector.get("kubernetes.io/metadata.name", namespace)
        other = f"{what} is for namespace {meant}, and runs are in {namespace}"
        yield Finding(OK, what) if meant == namespace else Finding(FAILED, other, "name it in policy.yaml")


def _rights(api: kubernetes.client.ApiClient, found: Settings) -> Iterator[Finding]:
    review = kubernetes.client.AuthorizationV1Api(api).create_self_subject_access_review
    wanted = [(found.namespace, *right) for right in _RIGHTS]
    if found.auth == "port-forward":
        wanted.append((found.kubeflow_namespace, "create", "pods/portforward", "auth: port-forward"))
    for namespace, verb, resource, purpose in wanted:
        name, _, subresource = resource.partition("/")
        asked = kubernetes.client.V1ResourceAttributes(
            namespace=namespace, verb=verb, resource=name, subresource=subresource or None
        )
        spec = kubernetes.client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked)
        answer = kube.ask(review, kubernetes.client.V1SelfSubjectAccessReview(spec=spec))
        what = f"right to {verb} {resource} in {namespace}"
        fix = f"needed for {purpose}; bind a Role with it"
        yield Finding(OK, what) if answer.status.allowed else Finding(FAILED, f"no {what}", fix)


def _volume(core: kubernetes.client.CoreV1Api, profile: Profile, namespace: str) -> Finding:
    what = f"volume {profile.workspace_claim}"
    try:
        claim = kube.ask(core.read_namespaced_persistent_volume_claim, profile.workspace_claim, namespace)
    except kube.KubeError as error:
        return _refused(error, what, "kubectl apply -k k8s/overlays/...")
    modes = claim.spec.access_modes or []
    if "ReadWriteMany" not in modes:
        return _narrow_volume(core, f"{what} is {', '.join(modes)}", modes)
    # A claim whose storage class waits for its first consumer is Pending until a run starts.
    return Finding(OK if claim.status.phase == "Bound" else WARNING, f"{what}: ReadWriteMany, {claim.status.phase}")


def _narrow_volume(core: kubernetes.client.CoreV1Api, what: str, modes: list[str]) -> Finding:
    """Judges a volume for one node (ReadWriteOnce), which all pods of that node can share."""
    needed = "steps share it: it must be ReadWriteMany (NFS, Filestore)"
    if "ReadWriteOnce" not in modes:
        return Finding(FAILED, what, needed)
    try:
        num_nodes = len(kube.ask(core.list_node).items)
    except kube.KubeError as error:
        if error.status != 403:
            raise
        return Finding(WARNING, f"{what}, and this user may not count the nodes", f"good for one node; else {needed}")
    if num_nodes == 1:
        return Finding(
            WARNING, f"{what}, which the one node of this cluster can share", f"with a second node, {needed}"
        )
    return Finding(FAILED, f"{what}, and there are {num_nodes} nodes", needed)


def _gpus(core: kubernetes.client.CoreV1Api, profile: Profile) -> Iterator[Finding]:
    for name, pool in profile.pools.items():
        if not pool.accelerator:
            continue
        wanted = pool.accelerator
        selector = ",".join(f"{label}={value}" for label, value in pool.node_selector.items())
        try:
            nodes = kube.ask(core.list_node, label_selector=selector).items
        except kube.KubeError as error:
            yield _refused(error, f"nodes of pool {name}", "")
            continue
        most = max((int((node.status.allocatable or {}).get(wanted.resource, 0)) for node in nodes), default=0)
        what = f"pool {name}: {len(nodes)} nodes with {selector}, one has {most} of {wanted.count} {wanted.resource}"
        if most >= wanted.count:
            yield Finding(OK, what)
        elif nodes:
            yield Finding(FAILED, what, f"a node with {wanted.count} {wanted.type}, or another PROFILE")
        else:
            yield Finding(WARNING, what, "fine if the node pool grows from zero; else make one (k8s/README.md)")


def _needs(profile: Profile) -> dict[str, float]:
    """Returns the most that one step asks for, by the names of quotas."""
    steps = [profile.defaults, *profile.steps.values()]
    needs = {
        f"{kind}.{name}": max(
            float(parse_quantity(getattr(step, name if kind == "requests" else f"{name}_limit"))) for step in steps
        )
        for kind in ("requests", "limits")
        for name in ("cpu", "memory")
    }
    for pool in profile.pools.values():
        if pool.accelerator:
            needs[f"requests.{pool.accelerator.resource}"] = float(pool.accelerator.count)
    return needs


def _quota(core: kubernetes.client.CoreV1Api, profile: Profile, namespace: str) -> Iterator[Finding]:
    try:
        quotas = kube.ask(core.list_namespaced_resource_quota, namespace).items
    except kube.KubeError as error:
        yield _refused(error, "quota", "")
        return
    needs = _needs(profile)
    tight = []
    for quota in quotas:
        hard, used = quota.status.hard or {}, quota.status.used or {}
        for name in sorted(set(hard) & set(needs)):
            free = float(parse_quantity(hard[name]) - parse_quantity(used.get(name, "0")))
            if free < needs[name]:
                tight.append(f"{name}: {free:g} of {hard[name]} free, {needs[name]:g} needed")
    if tight:
        yield Finding(FAILED, f"quota of {namespace}: {'; '.join(tight)}", "raise it, or wait for other runs")
    else:
        yield Finding(OK, f"quota of {namespace}: room for the largest step")


def _registry(core: kubernetes.client.CoreV1Api, profile: Profile, namespace: str) -> Iterator[Finding]:
    """Looks whether somebody stands behind the registry's service, which only pods can call."""
    host = urlsplit(profile.registry_uri).hostname or ""
    if not host:
        yield Finding(WARNING, "registry: sqlite in the workspace", "a server lets runs register at the same time")
        return
    service, _, rest = host.partition(".")
    where = rest.split(".")[0] or namespace
    what = f"registry {profile.registry_uri}"
    if rest and not rest.endswith(("svc", "svc.cluster.local")) and rest.count(".") > 0:
        yield Finding(WARNING, f"{what} lies outside the cluster", "look whether it answers at /health")
        return
    try:
        endpoints = kube.ask(core.read_namespaced_endpoints, service, where)
    except kube.KubeError as error:
        yield _refused(error, what, "kubectl apply -k k8s/overlays/...")
        return
    ready = sum(len(subset.addresses or []) for subset in endpoints.subsets or [])
    yield (
        Finding(OK, f"{what}: {ready} pods ready")
        if ready
        else Finding(FAILED, f"{what}: no pod is ready", f"kubectl -n {where} get pods")
    )

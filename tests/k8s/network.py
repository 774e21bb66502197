"""Who may speak to whom under a set of NetworkPolicies, as Kubernetes defines it.

A pod that no policy of a direction selects is open in it; otherwise some rule of some policy that selects it must fit.
"""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple


class Pod(NamedTuple):
    """One end of a connection: a pod's labels and its namespace's name."""

    labels: dict[str, str]
    namespace: str


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Says whether a label selector fits."""
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        _fits(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _fits(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    return {
        "Exists": value is not None,
        "DoesNotExist": value is None,
        "In": value in values,
        "NotIn": value not in values,
    }[expression["operator"]]


def selecting(policies: list[dict[str, Any]], pod: Pod, direction: str) -> list[dict[str, Any]]:
    """Returns the policies of the pod's namespace that govern its `Ingress` or `Egress`."""
    return [
        policy
        for policy in policies
        if direction in policy["spec"]["policyTypes"]
        and policy["metadata"]["namespace"] == pod.namespace
        and selects(policy["spec"]["podSelector"], pod.labels)
    ]


def allowed(policies: list[dict[str, Any]], pod: Pod, direction: str, other: Pod | str, port: int) -> bool:
    """Says whether the policies let `pod` send to (`Egress`) or take from (`Ingress`) another pod or an address."""
    governing = selecting(policies, pod, direction)
    way = ("to", "egress") if direction == "Egress" else ("from", "ingress")
    rules = [rule for policy in governing for rule in policy["spec"].get(way[1], [])]
    return not governing or any(
        any(entry["port"] == port for entry in rule.get("ports", [{"port": port}]))
        and any(_is_peer(peer, other, pod.namespace) for peer in rule[way[0]])
        for rule in rules
    )


def connects(policies: list[dict[str, Any]], source: Pod, target: Pod, port: int) -> bool:
    """Says whether both ends let a connection through."""
    return allowed(policies, source, "Egress", target, port) and allowed(policies, target, "Ingress", source, port)


def _is_peer(peer: dict[str, Any], other: Pod | str, own_namespace: str) -> bool:
    if isinstance(other, str):
        address, block = ipaddress.ip_address(other), peer.get("ipBlock")
        return (
            block is not None
            and address in ipaddress.ip_network(block["cidr"])
            and not any(address in ipaddress.ip_network(cut) for cut in block.get("except", []))
        )
    if "ipBlock" in peer:
        return False  # it is meant for addresses outside; pods are named by labels
    if "namespaceSelector" in peer:
        names = {"kubernetes.io/metadata.name": other.namespace}
        if not selects(peer["namespaceSelector"], names):
            return False
    elif other.namespace != own_namespace:
        return False
    return selects(peer.get("podSelector", {}), other.labels)

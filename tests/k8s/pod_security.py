"""The Pod Security Standard "restricted" as Kubernetes publishes it, on a pod's spec.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (for Linux pods; every control of "baseline" and
"restricted" but those of Windows and of host networking's probes, which need a host field that is refused anyway).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SECCOMP_TYPES = {"RuntimeDefault", "Localhost"}
_APPARMOR_TYPES = {"RuntimeDefault", "Localhost"}
_SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


def violations(pod: dict[str, Any]) -> list[str]:
    """Returns one line for each rule that a pod (metadata and spec) breaks."""
    spec = pod["spec"]
    broken = [f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        broken += [f"volume {volume['name']}: type {kind}" for kind in sorted(kinds - _VOLUME_TYPES)]
    security = spec.get("securityContext", {})
    broken += [f"sysctl {found['name']}" for found in security.get("sysctls", []) if found["name"] not in _SAFE_SYSCTLS]
    for name, value in pod.get("metadata", {}).get("annotations", {}).items():
        if name.startswith(_APPARMOR_ANNOTATION) and not value.startswith(("runtime/default", "localhost/")):
            broken.append(f"annotation {name}: {value}")
    broken += [f"pod: {line}" for line in _shared(security)]
    for container in _containers(spec):
        broken += [f"{container['name']}: {line}" for line in _container(container, security)]
    return broken


def _containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind, [])


def _shared(security: dict[str, Any]) -> Iterator[str]:
    """Yields what is forbidden both on a pod and on a container."""
    if security.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess is set"
    apparmor = security.get("appArmorProfile", {}).get("type")
    if apparmor and apparmor not in _APPARMOR_TYPES:
        yield f"appArmorProfile {apparmor}"
    selinux = security.get("seLinuxOptions", {})
    if selinux.get("type") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"seLinuxOptions {selinux}"


def _container(container: dict[str, Any], pod_security: dict[str, Any]) -> Iterator[str]:
    security = container.get("securityContext", {})
    yield from _shared(security)
    if security.get("privileged"):
        yield "privileged"
    if security.get("procMount", "Default") != "Default":
        yield f"procMount {security['procMount']}"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if not security.get("runAsNonRoot", pod_security.get("runAsNonRoot")):
        yield "runAsNonRoot is not true"
    seccomp = security.get("seccompProfile", pod_security.get("seccompProfile", {})).get("type")
    if seccomp not in _SECCOMP_TYPES:
        yield f"seccompProfile {seccomp}"
    capabilities = security.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities: ALL is not dropped"
    yield from (f"capability {added}" for added in capabilities.get("add", []) if added != "NET_BIND_SERVICE")
    yield from (f"hostPort {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort"))

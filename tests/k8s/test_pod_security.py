"""The check itself: a pod that keeps to the standard passes, and each single breach is named."""

import copy

import pytest

from tests.k8s import pod_security

GOOD = {
    "metadata": {},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "main",
                "ports": [{"containerPort": 80}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                },
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "emptyDir": {}}],
    },
}
POD, CONTAINER = ("spec", "securityContext"), ("spec", "containers", 0, "securityContext")
BREACHES = {
    "hostNetwork is set": (("spec", "hostNetwork"), True),
    "hostPID is set": (("spec", "hostPID"), True),
    "hostIPC is set": (("spec", "hostIPC"), True),
    "volume data: type hostPath": (("spec", "volumes", 0), {"name": "data", "hostPath": {"path": "/"}}),
    "volume data: type nfs": (("spec", "volumes", 0), {"name": "data", "nfs": {"server": "a", "path": "/"}}),
    "sysctl kernel.msgmax": ((*POD, "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]),
    "pod: runAsUser is 0": ((*POD, "runAsUser"), 0),
    "main: runAsUser is 0": ((*CONTAINER, "runAsUser"), 0),
    "main: runAsNonRoot is not true": ((*POD, "runAsNonRoot"), False),
    "main: seccompProfile Unconfined": ((*CONTAINER, "seccompProfile"), {"type": "Unconfined"}),
    "main: seccompProfile None": ((*POD, "seccompProfile"), {}),
    "main: privileged": ((*CONTAINER, "privileged"), True),
    "main: procMount Unmasked": ((*CONTAINER, "procMount"), "Unmasked"),
    "main: allowPrivilegeEscalation is not false": ((*CONTAINER, "allowPrivilegeEscalation"), True),
    "main: capabilities: ALL is not dropped": ((*CONTAINER, "capabilities", "drop"), ["NET_RAW"]),
    "main: capability SYS_ADMIN": ((*CONTAINER, "capabilities", "add"), ["SYS_ADMIN"]),
    "main: hostPort 80": (("spec", "containers", 0, "ports"), [{"containerPort": 80, "hostPort": 80}]),
    "main: appArmorProfile Unconfined": ((*CONTAINER, "appArmorProfile"), {"type": "Unconfined"}),
    "pod: seLinuxOptions {'type': 'spc_t'}": ((*POD, "seLinuxOptions"), {"type": "spc_t"}),
    "pod: hostProcess is set": ((*POD, "windowsOptions"), {"hostProcess": True}),
    "annotation container.apparmor.security.beta.kubernetes.io/main: unconfined": (
        ("metadata", "annotations"),
        {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"},
    ),
}


def _with(path, value):
    pod = copy.deepcopy(GOOD)
    place = pod
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return pod


def test_a_restricted_pod_passes():
    assert pod_security.violations(GOOD) == []


@pytest.mark.parametrize("line", BREACHES)
def test_a_breach_is_named(line):
    assert pod_security.violations(_with(*BREACHES[line])) == [line]


def test_a_container_that_says_nothing_breaks_the_rules_that_ask_for_something():
    bare = {"spec": {"containers": [{"name": "main"}], "initContainers": [{"name": "first"}]}}
    missing = [
        "allowPrivilegeEscalation is not false",
        "runAsNonRoot is not true",
        "seccompProfile None",
        "capabilities: ALL is not dropped",
    ]
    expected = [f"{name}: {line}" for name in ("first", "main") for line in missing]
    assert pod_security.violations(bare) == expected

"""Keeps secrets out of what is printed, and out of what Kubeflow stores with a run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from pipelines.cluster import ClusterError

_NAME = re.compile(r"passw|secret|token|credential|cookie|api_?key|private_?key|access_?key", re.IGNORECASE)
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\"private_key\"|\bya29\.|\bgh[pousr]_\w{20}|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30}"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.|\bxox[abprs]-|://[^/\s:@]+:[^/\s@]+@|[?&](X-Goog-Signature|sig)=|\bsk-\w{20}"
)
# Shorter values, such as `true`, are found in too many innocent places.
_SHORTEST = 8
_remembered: set[str] = set()


def remember(value: str) -> str:
    """Marks a value that came from elsewhere (a login, say) as secret; returns it."""
    if len(value) >= _SHORTEST:
        _remembered.add(value)
    return value


def known() -> set[str]:
    """Returns the secrets of the environment, by the names of the variables, and those of this process."""
    named = {value for name, value in os.environ.items() if _NAME.search(name) and len(value) >= _SHORTEST}
    return named | _remembered


def redact(text: str) -> str:
    """Returns the text with every known secret replaced."""
    for secret in sorted(known(), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def say(text: str = "", *, end: str = "\n") -> None:
    """Prints for people, without secrets."""
    print(redact(text), end=end, flush=True)


def refuse(parameters: Mapping[str, Any]) -> None:
    """Keeps secrets out of the parameters of a run, which everybody who sees the run can read.

    Raises:
        ClusterError: a name or a value looks like a secret; the message does not repeat the value.
    """
    for name, value in parameters.items():
        reason = ""
        if _NAME.search(name):
            reason = "its name says so"
        elif _VALUE.search(str(value)):
            reason = "its value has the form of one"
        elif any(secret in str(value) for secret in known()):
            reason = "its value holds that of an environment variable with a secret's name"
        if reason:
            raise ClusterError(
                f"Parameter {name} looks like a secret ({reason}), and Kubeflow stores and shows parameters. Put it "
                "into a Kubernetes secret, or use Workload Identity."
            )

"""The overlays as `kubectl kustomize` renders them."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import tools
from tests.quick_compile import short_stacks  # noqa: F401, a fixture

ROOT = Path(__file__).parents[2]


def kustomize(folder):
    """Returns the objects of an overlay."""
    # The development packages bring one along; its version says how the overlays are checked.
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or tools.require("kubectl")
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


@functools.cache
def _rendered(name):
    return kustomize(ROOT / "k8s" / "overlays" / name)


@pytest.fixture(scope="session")
def render():
    """`render("gke")` returns the objects of an overlay."""
    return _rendered

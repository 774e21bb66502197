"""Which image a component runs in on a cluster: the one that `images.lock.json` pins by its digest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from expressnet.runtime import storage
from pipelines.errors import RunError

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "images.lock.json"
# In the order of the rights that a step of the class needs.
STEP_CLASSES = ("data", "train", "registry")
_PINNED = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")


class ImageError(RunError):
    """An image that nobody could run again tomorrow."""


def short_name(image: str) -> str:
    """Returns `python-data` of `registry/path/python-data:0.1.0` or of a name with a digest."""
    return image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]


def step_class(image: str) -> str:
    """Returns data, train or registry: the image says what a step may touch."""
    return short_name(image).removeprefix("python-")


def read_lock() -> dict:
    """Returns the lock that `make images PUSH=1` wrote, {} if there is none."""
    lock = storage.read_json(LOCK) if LOCK.is_file() else {}
    if lock and not isinstance(lock.get("images"), dict):
        raise ImageError(f"{LOCK} must hold `images`, name to reference; got the keys {sorted(lock)}.")
    return lock


def resolve(image: str, lock: dict, *, allow_tags: bool) -> str:
    """Returns the reference to run for a component's image name.

    Raises:
        ImageError: it is no reference by digest, and tags are not allowed.
    """
    found = lock.get("images", {}).get(short_name(image), image)
    if not allow_tags and not _PINNED.match(found):
        raise ImageError(
            f"An image must be pinned as name@sha256:...; got {found}, which may be another image tomorrow. Build and "
            "push with `make images PUSH=1 REGISTRY=...`, or say ALLOW_TAGS=1 to try something out."
        )
    return found


def why_stale(lock: dict, root: Path = ROOT) -> str:
    """Returns how the locked images differ from this checkout, "" if they don't.

    The digests of the code are computed from the checkout, so an image with other code would spoil the cache.
    """
    if lock.get("lock_sha256") and lock["lock_sha256"] != storage.file_sha256(root / "uv.lock"):
        return "the images were built from another uv.lock"
    if not lock.get("commit"):
        return ""
    command = ["git", "diff", "--quiet", lock["commit"], "--", "expressnet", "components"]
    try:
        code = subprocess.run(command, cwd=root, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return f"git is not there to compare this code with the images' commit {lock['commit'][:8]}"
    if code == 0:
        return ""
    known = "this code differs from" if code == 1 else "git does not know"
    return f"{known} the images' commit {lock['commit'][:8]}"

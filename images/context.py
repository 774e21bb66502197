"""What the builder may see: nothing but what goes into an image, so that no stray file or secret does."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tomllib
from pathlib import Path

from expressnet.faces import blazeface
from expressnet.runtime import storage
from images import requirements
from images.requirements import ROOT, Image

# What of the checkout goes into images, and where it lies in the context.
_FOLDERS = {"expressnet": "code/expressnet", "data/demo": "demo"}
# What an image is made of; a change elsewhere leaves it as it is.
SOURCES = (*_FOLDERS, "images", "pyproject.toml", "uv.lock")
_DOCKERFILE = ROOT / "images" / "Dockerfile"
_MODELS_DIR = "/opt/expressnet/models"  # in the image


def write(folder: Path, accelerator: str) -> None:
    """Lays out the build context in an empty folder.

    Raises:
        FileNotFoundError: a BlazeFace model is missing.
        ValueError: a BlazeFace model is another file.
        RuntimeError: git or uv fail.
    """
    shutil.copy(_DOCKERFILE, folder / "Dockerfile")
    for image in requirements.IMAGES:
        path = folder / "requirements" / image.requirements_file(accelerator)
        storage.write_bytes(path, requirements.export(image, accelerator).encode())
    (folder / "models").mkdir()
    for detector in blazeface.FILES:
        shutil.copy(blazeface.model_path(detector), folder / "models")
    sums = "".join(f"{sha256}  {_MODELS_DIR}/{name}\n" for name, sha256 in blazeface.FILES.values())
    storage.write_bytes(folder / "models" / "SHA256SUMS", sums.encode())
    for source, target in _FOLDERS.items():
        for name in tracked(source):
            path = folder / target / Path(name).relative_to(source)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path)
    # The code is copied and not installed, but a model's provenance asks for its version as of an installed package.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    installed = folder / "code" / f"{project['name']}-{project['version']}.dist-info"
    storage.write_bytes(installed / "METADATA", about.encode())
    for path in folder.rglob("*"):  # whoever builds may keep files to himself; in the image another user reads them
        path.chmod(0o755 if path.is_dir() else 0o644)


def digest(folder: Path, image: Image, accelerator: str) -> str:
    """Returns the SHA-256 of all that goes into one image, names and contents, besides its base."""
    hasher = hashlib.sha256(accelerator.encode() if image.has_tensorflow else b"")
    roots = ["Dockerfile", f"requirements/{image.requirements_file(accelerator)}", *image.contents]
    for root in roots:
        start = folder / root
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.is_file():
                hasher.update(f"{path.relative_to(folder)}\0{storage.file_sha256(path)}\n".encode())
    return hasher.hexdigest()


def tracked(source: str) -> list[str]:
    """Returns the files of a folder of the checkout that git knows and that are there."""
    return [name for name in git("ls-files", "-z", "--", source).split("\0") if name and (ROOT / name).is_file()]


def git(*arguments: str) -> str:
    """Returns what a git command prints.

    Raises:
        RuntimeError: it fails.
    """
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"images are built from a git checkout, and `git {arguments[0]}` failed: {done.stderr.strip()}"
        )
    return done.stdout


def commit() -> str:
    """Returns the commit that is checked out, with "-dirty" if what goes into images differs from it."""
    return git("rev-parse", "HEAD").strip() + ("-dirty" if changed() else "")


def changed() -> list[str]:
    """Returns the files that go into images and differ from the commit."""
    return [line[3:] for line in git("status", "--porcelain", "--", *SOURCES).splitlines()]

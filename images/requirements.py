"""What is installed in which image: parts of uv.lock, with hashes."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

from components import _images

ROOT = Path(__file__).parents[1]
ACCELERATORS = ("cpu", "gpu")
_UV = ROOT / ".tools" / "bin" / "uv"
# Only who compiles and submits needs these, never a step.
_COMPILE_TIME = ("kfp-kubernetes", "kfp-server-api", "kubernetes")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """One target of the Dockerfile.

    Attributes:
        name: target, and last part of the pushed name.
        tag: the name and tag that the components ask for.
        without: packages that its steps don't import; what only those need is left out too.
        group: dependency group that it has beside the library's own dependencies.
        has_tensorflow: whether it gets the extra cpu or gpu.
        contents: files of the context that its last layers hold.
    """

    name: str
    tag: str
    without: tuple[str, ...]
    group: str = ""
    has_tensorflow: bool = False
    contents: tuple[str, ...]

    def requirements_file(self, accelerator: str) -> str:
        """Returns the name of its export."""
        return f"{self.name}-{accelerator}.txt" if self.has_tensorflow else f"{self.name}.txt"


IMAGES = (
    Image(
        name="python-data",
        tag=_images.DATA,
        contents=("models", "demo", "code"),
        without=(*_COMPILE_TIME, "keras", "mlflow", "tensorboard", "h5py"),
    ),
    Image(
        name="python-registry",
        tag=_images.REGISTRY,
        group="server",
        contents=("code",),
        without=(
            *_COMPILE_TIME,
            "keras",
            "tensorboard",
            "h5py",
            "mediapipe",
            "opencv-contrib-python",
            "great-expectations",
        ),
    ),
    Image(
        name="python-train",
        tag=_images.TRAIN,
        has_tensorflow=True,
        contents=("models", "code"),
        without=(*_COMPILE_TIME, "great-expectations"),
    ),
)


def export(image: Image, accelerator: str = "cpu", file_format: str = "requirements.txt") -> str:
    """Returns what an image installs: `requirements.txt` with hashes, or `cyclonedx1.5` (a bill of materials).

    Raises:
        RuntimeError: uv is missing or refuses, for instance because pyproject.toml and uv.lock disagree.
    """
    command = [str(_UV), "export", "--locked", "--offline", "--quiet", "--no-default-groups", "--no-emit-project"]
    command += ["--no-header", "--no-annotate"] if file_format == "requirements.txt" else []
    command += ["--format", file_format, *(f"--prune={name}" for name in image.without)]
    command += ["--extra", accelerator] if image.has_tensorflow else []
    command += ["--group", image.group] if image.group else []
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RuntimeError(f"uv is required at {_UV}, and is not there; `make setup` installs it.") from error
    if done.returncode != 0:
        raise RuntimeError(f"uv can't export what {image.name} installs: {done.stderr.strip()}")
    return done.stdout

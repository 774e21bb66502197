"""Builds the images of the components: `python -m images.build [--push REGISTRY] [--gpu]`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from expressnet.runtime import storage
from images import context, requirements
from images.requirements import ROOT, Image

LOCK_FILE = ROOT / "images.lock.json"
SBOM_DIR = ROOT / "build" / "sbom"
PINS_FILE = ROOT / "k8s" / "images" / "kustomization.yaml"
PYTHON_IMAGE = "python:3.11.14-slim-bookworm"
# Images of others that our manifests run. They are pushed beside ours, so that the lock pins them by a digest too.
MIRRORED = {"postgres": "docker.io/library/postgres:17.6"}
_INPUTS_LABEL = "org.expressnet.inputs"
_REVISION_LABEL = "org.opencontainers.image.revision"


def main(arguments: list[str] | None = None) -> int:
    """Builds what changed; returns the exit code: 0 done, 1 failed, 2 wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m images.build", description="Builds the components' images.")
    parser.add_argument("--push", metavar="REGISTRY", help="push there, such as europe-docker.pkg.dev/project/images")
    parser.add_argument("--gpu", action="store_true", help="TensorFlow with CUDA in python-train")
    parser.add_argument("--python-image", default=PYTHON_IMAGE, help="base; default: %(default)s")
    options = parser.parse_args(arguments)
    if options.push is not None and not options.push.strip("/"):
        parser.error("PUSH=1 needs a registry; got an empty one. Set REGISTRY=, such as REGISTRY=localhost:5000")
    try:
        build(options.push and options.push.rstrip("/"), "gpu" if options.gpu else "cpu", options.python_image)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(registry: str | None, accelerator: str, python_image: str) -> None:
    """Builds the images whose parts changed, writes their bills of materials and images.lock.json.

    Raises:
        RuntimeError: the engine does not answer, or a build or a push fails; the lock stays as it was.
    """
    if registry and (changed := context.changed()):
        raise RuntimeError(
            f"a pushed image must be traceable to a commit, and {len(changed)} files differ from it: "
            f"{', '.join(changed[:5])}. Commit them first; without PUSH=1 they may differ."
        )
    docker("version", "--format", "{{.Server.Version}}")  # says at once what is wrong with the engine
    with tempfile.TemporaryDirectory(prefix="expressnet-images-") as scratch:
        context.write(Path(scratch), accelerator)
        for image in requirements.IMAGES:
            _build_one(image, Path(scratch), accelerator, python_image)
    for image in requirements.IMAGES:
        bill = requirements.export(image, accelerator, "cyclonedx1.5")
        storage.write_bytes(SBOM_DIR / f"{image.name}.cdx.json", bill.encode())
    if registry:
        pushed = {image.name: _push_built(image, registry) for image in requirements.IMAGES}
        pushed |= {name: _push_mirrored(name, source, registry) for name, source in MIRRORED.items()}
        _write_lock({"images": pushed})
        storage.write_bytes(PINS_FILE, pins(pushed).encode())
        say(f"pushed; {LOCK_FILE.name} and {PINS_FILE.relative_to(ROOT)} name the digests")
    else:
        _write_lock({"local": {image.name: _inspect(image.tag)["Id"] for image in requirements.IMAGES}})
        say(f"built, not pushed: a digest exists only in a registry, so {LOCK_FILE.name} has local ids alone")


def _build_one(image: Image, folder: Path, accelerator: str, python_image: str) -> None:
    base = f"{python_image} {_inspect(python_image).get('Id', 'not here yet')}"
    inputs = storage.json_digest([context.digest(folder, image, accelerator), base])
    labels = _inspect(image.tag).get("Config", {}).get("Labels") or {}
    if labels.get(_INPUTS_LABEL) == inputs:
        say(f"{image.tag} is up to date")
        return
    say(f"building {image.tag}")
    command = ["docker", "build", "--target", image.name, "--tag", image.tag]
    command += ["--build-arg", f"PYTHON_IMAGE={python_image}", "--build-arg", f"ACCELERATOR={accelerator}"]
    command += ["--label", f"{_INPUTS_LABEL}={inputs}", "--label", f"{_REVISION_LABEL}={context.commit()}"]
    # The build installs packages; the host's network is there where the engine was started without a bridge too.
    done = subprocess.run([*command, "--network", "host", str(folder)], check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`docker build` of {image.name} failed with exit code {done.returncode}; see above.")


def _push_built(image: Image, registry: str) -> str:
    version = _inspect(image.tag)["Config"]["Labels"][_INPUTS_LABEL][:12]
    return _push(image.tag, f"{registry}/{image.name}", version)


def _push_mirrored(name: str, source: str, registry: str) -> str:
    if not _inspect(source):
        say(f"pulling {source}")
        docker("pull", "--quiet", source)
    return _push(source, f"{registry}/{name}", source.rpartition(":")[2])


def _push(source: str, name: str, version: str) -> str:
    """Pushes an image under a name and returns the name with the digest that the registry gave it."""
    tag = f"{name}:{version}"
    docker("tag", source, tag)
    say(f"pushing {tag}")
    docker("push", "--quiet", tag)
    digests = [one for one in _inspect(tag)["RepoDigests"] if one.startswith(f"{name}@sha256:")]
    if len(digests) != 1:
        raise RuntimeError(f"the registry should have given {tag} one digest; the engine knows {digests}.")
    return str(digests[0])


def _write_lock(entry: dict[str, Any]) -> None:
    """Notes what was pushed; what was only built goes beside it, so that the pushed digests stay known."""
    made = {"commit": context.commit(), "lock_sha256": storage.file_sha256(ROOT / "uv.lock")}
    before = storage.read_json(LOCK_FILE) if LOCK_FILE.exists() else {}
    if "local" in entry:
        storage.write_json(LOCK_FILE, {"images": {}, **before, "local": {**made, "images": entry["local"]}})
    else:
        storage.write_json(LOCK_FILE, {**made, **entry})


def pins(pushed: dict[str, str]) -> str:
    """Returns the kustomize component that makes our pods run pushed images.

    Args:
        pushed: `REGISTRY/name@sha256:...` by the image's name.
    """
    lines = [
        "# Which images our pods run; written by `make images PUSH=1`.",
        "apiVersion: kustomize.config.k8s.io/v1alpha1",
        "kind: Component",
        "images:",
    ]
    for name, tag in ({image.name: image.tag for image in requirements.IMAGES} | MIRRORED).items():
        new_name, _, sha256 = pushed[name].partition("@")
        lines += [f"  - name: {tag.rpartition(':')[0]}", f"    newName: {new_name}", f"    digest: {sha256}"]
    return "\n".join(lines) + "\n"


def _inspect(name: str) -> dict[str, Any]:
    """Returns what the engine knows about an image, {} if it has none of that name."""
    done = subprocess.run(["docker", "image", "inspect", name], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found[0] if found else {}


def docker(*arguments: str) -> str:
    """Runs a docker command and returns what it prints.

    Raises:
        RuntimeError: there is no docker, or it fails.
    """
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RuntimeError("images are built with Docker, and there is no command `docker` here.") from error
    if done.returncode != 0:
        raise RuntimeError(
            f"`docker {arguments[0]}` failed: {done.stderr.strip()}. Is the engine running, and may you use it?"
        )
    return done.stdout.strip()


def say(text: str) -> None:
    """Prints a line for people, in step with what docker prints."""
    print(f"images    {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

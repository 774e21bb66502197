"""Runs the train pipeline through kfp.local with a container per step: `python -m tests.images.in_containers OUT`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from docker.types import Mount
from kfp import local

from expressnet.runtime import journal
from pipelines import catalog

ARGUMENTS = {"dataset": "demo", "preset": "tiny", "limit": 210, "epochs": 2, "intended_use": "testing"}


def main(out: Path) -> None:
    """Runs as the images' own user, with a read-only root and without any network."""
    run_dir = out / "run"
    for folder in (out, run_dir, out / "artifacts"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # the steps belong to another user
    environment = {journal.RUN_DIR_VARIABLE: str(run_dir)}
    # The order in which a sum is taken depends on the threads: those of a local run, see pipelines/local.py.
    environment |= {name: value for name, value in os.environ.items() if name.startswith("TF_NUM_")}
    runner = local.DockerRunner(
        user="10001:10001",
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/tmp": "size=2g"},
        environment=environment,
        mounts=[Mount(target=str(out), source=str(out), type="bind")],
    )
    local.init(runner, pipeline_root=str(out / "artifacts"), enable_caching=False)
    catalog.load("train")(workspace=str(out), **ARGUMENTS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

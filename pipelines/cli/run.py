"""`expressnet run train|retrain`: a pipeline from a data set to a champion, on this machine."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import cyclopts

from expressnet.config import options
from expressnet.datasets import catalog as datasets
from expressnet.runtime import storage
from pipelines import catalog, local
from pipelines.cli.options import OUT, Workspace, command
from pipelines.errors import RunError

ABOUT = {
    "train": "From a data set to a registered, promoted model.",
    "retrain": "Nothing to do, or a challenger of what changed since the champion.",
}


def add(app: cyclopts.App) -> cyclopts.App:
    """Adds `run` with the pipelines that take a data set; returns it."""
    run = cyclopts.App(name="run", help="Run a pipeline on this machine.")
    for pipeline in catalog.OF_DATA:
        run.command(
            command(options.of_pipeline(pipeline), functools.partial(_run, pipeline), ABOUT[pipeline]), name=pipeline
        )
    app.command(run)
    return run


def _run(pipeline: str, values: dict[str, Any], *, out: Workspace = OUT) -> int:
    try:
        options.check(pipeline, values)
    except ValueError as error:
        raise cyclopts.CycloptsError(msg=str(error)) from error
    values |= {"licence_accepted": _accepts_licence(values)}
    for name in ("data_uri", "backbone_weights"):
        if values[name] and "://" not in values[name]:
            values[name] = str(Path(values[name]).expanduser().absolute())
    if values["split_file"]:
        path = Path(values["split_file"]).expanduser().absolute()
        if not path.is_file():
            raise RunError(f"SPLIT_FILE={path} is not a file. Every split leaves a split.csv in its folder.")
        values |= {"split_file": str(path), "split_file_digest": storage.file_sha256(path)}
    local.run(pipeline, values, out)
    return 0


def _accepts_licence(values: dict[str, Any]) -> bool:
    """Returns whether the licence is acknowledged; asks where somebody sits at a terminal."""
    about = datasets.find(values["dataset"]).ABOUT
    if values["licence_accepted"] or not about.needs_acceptance:
        return True
    if not sys.stdin.isatty():
        return False  # ingest refuses, and says what to do
    print(f"{about.title}. Licence: {about.licence}.")
    return input("May you use it under this licence? [y/N] ").strip().lower() in ("y", "yes")

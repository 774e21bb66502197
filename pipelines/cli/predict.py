"""`expressnet predict|serve`: a champion at work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from expressnet.config.base import chosen
from expressnet.config.options import of_classes, of_pipeline
from expressnet.config.predict import ServeConfig
from pipelines import local
from pipelines.cli.models import require_workspace
from pipelines.cli.options import OUT, Workspace, command
from pipelines.errors import RunError

_Input = Annotated[str, cyclopts.Parameter(help="folder, file, .zip, .tar, .tar.gz or gs://bucket/prefix")]


def add(app: cyclopts.App, run: cyclopts.App) -> None:
    """Adds the commands; `run` takes the pipeline predict too."""
    predict = command(
        of_pipeline("predict"), _predict, "Predict photographs with a registered model: a table of answers."
    )
    app.command(predict, name="predict")
    run.command(predict, name="predict")
    serve = command(
        of_classes(ServeConfig), _serve, "Open a page on this machine that answers for a dropped photograph."
    )
    app.command(serve, name="serve")


def _predict(values: dict[str, Any], input: _Input = "", *, out: Workspace = OUT) -> int:
    if not input:
        raise RunError("INPUT= names the photographs: a folder, a file, an archive or gs://bucket/prefix.")
    workspace = require_workspace(out)  # otherwise a mistyped OUT= would become a new, empty workspace
    where = input if "://" in input else str(Path(input).expanduser().absolute())
    local.run("predict", {"input_uri": where, **values}, workspace)
    return 0


def _serve(values: dict[str, Any], *, out: Workspace = OUT) -> int:
    from expressnet.commands import serve

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    serve.run(out.expanduser().absolute(), ServeConfig(**chosen(ServeConfig, values)))
    return 0

"""`expressnet matrix`: models on each other's test splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cyclopts

from pipelines.cli.models import require_workspace
from pipelines.cli.options import OUT, Workspace


def add(app: cyclopts.App) -> None:
    """Adds the command."""
    app.command(_matrix, name="matrix")


def _matrix(
    models: Annotated[
        list[str], cyclopts.Parameter(help="names of champions, such as expressnet-demo, or model folders")
    ],
    *,
    data: Annotated[
        list[Path] | None,
        cyclopts.Parameter(
            help="outputs of the stage split, beside those that the models were made with", consume_multiple=True
        ),
    ] = None,
    to: Annotated[Path, cyclopts.Parameter(help="folder of the page")] = Path("build/matrix"),
    out: Workspace = OUT,
) -> int:
    """Evaluate models on each other's test splits, over the shared classes."""
    from expressnet.commands import matrix
    from expressnet.config.evaluate import EvaluateConfig
    from expressnet.registry import registry

    workspace = require_workspace(out)
    folders = [
        Path(name) if Path(name).is_dir() else registry.Registry(workspace).champion_dir(name) for name in models
    ]
    matrix.run(folders, data or [], workspace, to, EvaluateConfig())
    print(to / matrix.PAGE_FILE)
    return 0

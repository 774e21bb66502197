"""`expressnet datasets|forget`: what is known of data sets, and how examples are erased."""

from __future__ import annotations

from typing import Annotated

import cyclopts

from expressnet.datasets import catalog as datasets
from pipelines.cli.models import require_workspace
from pipelines.cli.options import OUT, Workspace


def add(app: cyclopts.App) -> None:
    """Adds the commands."""
    app.command(_datasets, name="datasets")
    app.command(_forget, name="forget")


def _datasets() -> int:
    """List the data sets, their layouts, licences and expected counts."""
    print(datasets.describe())
    return 0


def _forget(
    sha256: Annotated[list[str], cyclopts.Parameter(help="of the original file, as the manifest names it")],
    *,
    out: Workspace = OUT,
) -> int:
    """Erase examples from data, crops and reports, and leave them out from now on."""
    from expressnet.commands import forget

    for name, value in forget.run(require_workspace(out), sha256).items():
        print(f"{name.replace('_', ' '):<28}{value}")
    return 0

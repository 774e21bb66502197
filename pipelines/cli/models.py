"""`expressnet promote|rollback|champion|history|reproduce|export`: registered models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from expressnet.config.options import of_pipeline
from pipelines import local
from pipelines.cli.options import OUT, Workspace, command
from pipelines.errors import RunError

_Model = Annotated[
    str,
    cyclopts.Parameter(
        name=["--model", "--name"], help="name of a model, such as expressnet-demo; not needed where there is one"
    ),
]
_Version = Annotated[str, cyclopts.Parameter(help="such as 20260101-0123abcd; `history` and runs name them")]


def add(app: cyclopts.App, run: cyclopts.App) -> None:
    """Adds the commands; `run` takes the pipeline promote too."""
    promote = command(of_pipeline("promote"), _promote, "Let a registered model through the gate, or say why not.")
    app.command(promote, name="promote")
    run.command(promote, name="promote")
    app.command(_rollback, name="rollback")
    app.command(_champion, name="champion")
    app.command(_history, name="history")
    app.command(_reproduce, name="reproduce")
    app.command(_export, name="export")


def require_workspace(out: Path) -> Path:
    """Returns the absolute folder of a workspace.

    Raises:
        RunError: there is none.
    """
    workspace = out.expanduser().absolute()
    if not workspace.is_dir():
        raise RunError(f"There is no workspace at {workspace}. Is OUT= the folder of the runs?")
    return workspace


def _promote(values: dict[str, Any], *, version: _Version, model: _Model = "", out: Workspace = OUT) -> int:
    local.run("promote", {"version": version, "model_name": model, **values}, require_workspace(out))
    return 0


def _rollback(
    *,
    reason: Annotated[str, cyclopts.Parameter(help="why, in words; recorded")],
    to: Annotated[str, cyclopts.Parameter(help="version; the one that the champion replaced if empty")] = "",
    model: _Model = "",
    out: Workspace = OUT,
) -> int:
    """Make an earlier champion the champion again."""
    from expressnet.commands import rollback

    rollback.run(require_workspace(out), reason, to=to, model_name=model)
    return 0


def _champion(*, model: _Model = "", out: Workspace = OUT) -> int:
    """Show who is champion, for what, on which evidence."""
    from expressnet.registry import registry

    models = registry.Registry(require_workspace(out))
    champion = models.champion(models.model_name(model))
    if champion is None:
        raise FileNotFoundError("champion.json is lost; `make history` says more.")
    use = champion["settings"]["intended_use"] or "not stated"
    _tell(
        {
            "champion": f"{champion['model_name']} {champion['version']}",
            "since": champion["promoted_at"],
            "because": champion["reason"],
            "intended use": use,
            "before it": champion["previous"] or "nobody",
            "files": models.champion_dir(model),
        }
    )
    return 0


def _history(*, model: _Model = "", out: Workspace = OUT) -> int:
    """List the champions and check that nobody changed the list; exits with 1 if somebody did."""
    from expressnet.registry import registry

    models = registry.Registry(require_workspace(out))
    champions = models.champions(models.model_name(model))
    for number, entry in enumerate(champions.entries(), start=1):
        print(f"{number:>4}  {_line(entry)}")
    found = champions.problems()
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    print("the history was changed since it was written" if found else "the history is whole")
    return 1 if found else 0


def _line(entry: dict[str, Any]) -> str:
    try:
        by = " in the run ".join(filter(None, (entry["by"]["user"], entry["by"]["run"])))
        return f"{entry['at']}  {entry['action']} {entry['champion']['version']} by {by}: {entry['champion']['reason']}"
    except (KeyError, TypeError):
        return "can't be read"


def _reproduce(*, version: _Version, model: _Model = "", out: Workspace = OUT) -> int:
    """Print the commands that reproduce a version, and check code, packages and data here."""
    from expressnet.commands import reproduce

    found = reproduce.run(require_workspace(out), version, model)
    print("\n".join(found["commands"]))
    _tell(found["checks"])
    return 0 if found["is_same"] else 1


def _export(
    *,
    model: Annotated[
        str,
        cyclopts.Parameter(
            name=["--model", "--name"], help="name of a champion, or a model folder; not needed where there is one"
        ),
    ] = "",
    to: Annotated[Path, cyclopts.Parameter(help="new folder")] = Path("build/export"),
    out: Workspace = OUT,
) -> int:
    """Write the champion as SavedModel and TFLite: uint8 crops in, probabilities out."""
    from expressnet.commands import export
    from expressnet.registry import registry

    is_folder = bool(model) and Path(model).expanduser().is_dir()
    folder = Path(model).expanduser() if is_folder else registry.Registry(require_workspace(out)).champion_dir(model)
    export.run(folder, to)
    return 0


def _tell(told: dict[str, Any]) -> None:
    for topic, text in told.items():
        print(f"{topic:<14}{text}")

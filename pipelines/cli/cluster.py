"""`expressnet submit|status|logs|cancel|compare|schedule|doctor|compile`: the commands for a cluster.

The modules behind them are loaded when one is used.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from expressnet.config import options
from pipelines import catalog
from pipelines.cli.options import command
from pipelines.cli.run import ABOUT

SCHEDULES = Path("k8s/schedules.yaml")
_Profile = Annotated[str, cyclopts.Parameter(help="name in k8s/profiles; or set it in expressnet.yaml")]
_Run = Annotated[str, cyclopts.Parameter(help="id or name of a run, or its beginning")]


def add(app: cyclopts.App) -> None:
    """Adds the commands."""
    submit = cyclopts.App(name="submit", help="Run a pipeline on a cluster.")
    for pipeline in catalog.OF_DATA:
        made = command(options.of_pipeline(pipeline), functools.partial(_submit, pipeline), ABOUT[pipeline])
        submit.command(made, name=pipeline)
    app.command(submit)
    for name, function in _COMMANDS.items():
        app.command(function, name=name)


def _submit(
    pipeline: str,
    values: dict[str, Any],
    *,
    profile: _Profile = "",
    cache: Annotated[bool, cyclopts.Parameter(help="take results of unchanged steps from earlier runs")] = True,
    wait: Annotated[bool, cyclopts.Parameter(help="show the steps, and exit with 0 only if the run succeeded")] = False,
    dry_run: Annotated[bool, cyclopts.Parameter(help="print the plan and connect to nothing")] = False,
) -> int:
    from pipelines.cluster import submit

    try:
        options.check(pipeline, values)
    except ValueError as error:
        raise cyclopts.CycloptsError(msg=str(error)) from error
    return submit.run(pipeline, values, profile_name=profile, cache=cache, wait=wait, dry_run=dry_run)


def _status(run: _Run = "") -> int:
    """List the latest runs, or the steps of one."""
    from pipelines.cluster import runs

    return runs.status(run)


def _logs(run: _Run, step: Annotated[str, cyclopts.Parameter(help="train, for example")]) -> int:
    """Print what a step of a run said."""
    from pipelines.cluster import kube

    return kube.logs(run, step)


def _cancel(run: _Run) -> int:
    """End a run."""
    from pipelines.cluster import runs

    return runs.cancel(run)


def _compare(
    run: Annotated[list[str], cyclopts.Parameter(help="ids or names of two runs, or their beginnings")],
) -> int:
    """Show what differs between two runs."""
    from pipelines.cluster import compare

    if len(run) != 2:
        raise cyclopts.CycloptsError(msg=f'RUN must name two runs, as RUN="<one> <other>"; got {len(run)}.')
    return compare.run(*run)


def _schedule(
    *,
    profile: _Profile = "",
    file: Annotated[Path, cyclopts.Parameter(help="declarations of the schedules")] = SCHEDULES,
    check: Annotated[bool, cyclopts.Parameter(help="change nothing; exit with 1 if something differs")] = False,
) -> int:
    """Make the endpoint's recurring runs those of k8s/schedules.yaml."""
    from pipelines.cluster import schedule

    return schedule.run(file, profile_name=profile, only_check=check)


def _doctor(*, profile: _Profile = "") -> int:
    """Check what of the cluster is ready, and say how to repair the rest."""
    from pipelines.cluster import doctor

    return doctor.run(profile)


def _compile(
    *,
    out: Annotated[Path, cyclopts.Parameter(help="folder of the files")] = Path("build/pipelines"),
    profile: Annotated[
        str,
        cyclopts.Parameter(
            help="place the steps on this cluster (k8s/profiles), and write Pipeline and PipelineVersion resources"
        ),
    ] = "",
) -> int:
    """Write the Kubeflow IR (YAML) of every pipeline."""
    from pipelines import image_lock, profiles
    from pipelines.cluster import package, settings, submit

    placed = profiles.read(profile) if profile else None
    how = {"lock": image_lock.read_lock(), "allow_tags": submit.allows_tags()}
    folder = out / profile
    for name in catalog.NAMES:
        written = {f"{name}.yaml": package.make(name, placed, **how).text}
        if placed:
            resources = package.kubernetes_resources(name, placed, **how, namespace=settings.read().namespace)
            written[f"{name}.resources.yaml"] = resources
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, text in written.items():
            (folder / file_name).write_text(text)
            print(folder / file_name)
    return 0


_COMMANDS = {
    "status": _status,
    "logs": _logs,
    "cancel": _cancel,
    "compare": _compare,
    "schedule": _schedule,
    "doctor": _doctor,
    "compile": _compile,
}

"""The parsers of the commands for a cluster; the modules behind them are loaded when one is used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from pipelines import catalog

SCHEDULES = Path("k8s/schedules.yaml")


def add_commands(commands: argparse._SubParsersAction, settings: argparse.ArgumentParser) -> None:
    """Adds submit, status, logs, cancel, compare, schedule and doctor.

    Args:
        commands: of the program.
        settings: the options that `run` and `submit` share.
    """
    submit = commands.add_parser(
        "submit",
        parents=[settings],
        help="run a pipeline on a cluster",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_profile(submit)
    submit.add_argument("--no-cache", action="store_true", help="run every step, whatever was done before")
    submit.add_argument("--wait", action="store_true", help="show the steps and exit with the run's truth")
    submit.add_argument("--dry-run", action="store_true", help="print the plan and ask nobody")
    submit.set_defaults(command=_later("submit", "run"))

    status = commands.add_parser("status", help="list the latest runs, or the steps of one")
    status.add_argument("run", nargs="?", default="", help="id or name of a run, or its beginning")
    status.set_defaults(command=_later("runs", "status"))

    logs = commands.add_parser("logs", help="print what a step of a run said")
    logs.add_argument("run", help="id or name of a run, or its beginning")
    logs.add_argument("step", help="train, for example")
    logs.set_defaults(command=_later("kube", "logs"))

    cancel = commands.add_parser("cancel", help="end a run")
    cancel.add_argument("run", help="id or name of a run, or its beginning")
    cancel.set_defaults(command=_later("runs", "cancel"))

    compare = commands.add_parser("compare", help="show what differs between two runs")
    compare.add_argument("run", nargs=2, help="ids or names of runs, or their beginnings")
    compare.set_defaults(command=_later("compare", "run"))

    schedule = commands.add_parser("schedule", help="make the endpoint's recurring runs those of k8s/schedules.yaml")
    _add_profile(schedule)
    schedule.add_argument("--file", type=Path, default=SCHEDULES, help="default: %(default)s")
    schedule.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something differs")
    schedule.set_defaults(command=_later("schedule", "run"))

    doctor = commands.add_parser("doctor", help="say what of the cluster is ready and how to mend the rest")
    _add_profile(doctor)
    doctor.set_defaults(command=_later("doctor", "run"))


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="", help="name in k8s/profiles; or set it in expressnet.yaml")


def _later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    return lambda options: getattr(importlib.import_module(f"pipelines.cluster.{module}"), function)(options)


def add_compile(commands: argparse._SubParsersAction) -> None:
    """Adds compile."""
    parser = commands.add_parser("compile", help="write the Kubeflow IR (YAML) of every pipeline")
    parser.add_argument("--out", type=Path, default=Path("build/pipelines"), help="default: %(default)s")
    parser.add_argument(
        "--profile",
        default="",
        help="place the steps on this cluster (k8s/profiles), and write Pipeline and PipelineVersion resources beside",
    )
    parser.set_defaults(command=_compile)


def _compile(options: argparse.Namespace) -> int:
    from pipelines import image_lock, profiles
    from pipelines.cluster import package, settings, submit

    profile = profiles.read(options.profile) if options.profile else None
    how = {"lock": image_lock.read_lock(), "allow_tags": submit.allows_tags()}
    folder = options.out / options.profile
    for name in catalog.NAMES:
        written = {f"{name}.yaml": package.make(name, profile, **how).text}
        if profile:
            namespace = settings.read().namespace
            resources = package.kubernetes_resources(name, profile, **how, namespace=namespace)
            written[f"{name}.resources.yaml"] = resources
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, text in written.items():
            (folder / file_name).write_text(text)
            print(folder / file_name)
    return 0

"""Runs a pipeline on this machine: no cluster, no cloud account, no container."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from expressnet.runtime import journal, storage
from expressnet.stages import summary
from pipelines.errors import RunError
from pipelines.screen import Screen

_LOG_FILE = "run.log"


def run(pipeline_name: str, arguments: dict[str, Any], out_dir: Path) -> None:
    """Runs a pipeline through kfp.local and prints its summary.

    Results of an earlier run over the same content, settings and code are reused.

    Args:
        pipeline_name: module of this package.
        arguments: of the pipeline, without `workspace`.
        out_dir: the workspace; made if it is missing.

    Raises:
        RunError: the workspace can't be used, or a stage failed.
    """
    workspace = _prepared(out_dir)
    busy = RunError(f"Another run is using OUT={workspace}. Wait for it or set another OUT=.")
    with storage.workspace_lock(workspace, busy=busy):
        for folder in ("artifacts", "work"):  # a killed ingest goes on from what it left in "datasets"
            storage.remove_partials(workspace / folder)
        # To the millisecond: a run that fails at once may be followed by another within the same second.
        started = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        about = [arguments[name] for name in ("dataset", "version") if arguments.get(name)]
        run_dir = workspace / "runs" / "-".join([started, pipeline_name, *about])
        terminal = Console(file=sys.stdout)  # as it is now; stdout is redirected later
        try:
            run_dir.mkdir(parents=True)
            with (run_dir / _LOG_FILE).open("w", errors="replace") as log:
                _execute(pipeline_name, {**arguments, "workspace": str(workspace)}, workspace, run_dir, log, terminal)
        except OSError as error:
            raise RunError(journal.explain(error)) from error
        _tell(run_dir, terminal)


def _prepared(out_dir: Path) -> Path:
    workspace = out_dir.expanduser().absolute()
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        storage.write_bytes(workspace / ".writable", b"")
    except OSError as error:
        raise RunError(
            f"OUT={workspace} can't be written ({error.strerror}). Set OUT= to a folder on a disk that is writable "
            "and has some space."
        ) from error
    return workspace


def choose_threads() -> None:
    """Sets how TensorFlow shares two processors, unless the environment does; only before it starts."""
    if os.cpu_count() == 2:
        # The network's three branches side by side, a thread each: a training step of `small` takes 3.6 to 3.9 ms an
        # image, against 3.7 to 5.4 with TensorFlow's own choice of two threads within and two across operations.
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def _execute(
    pipeline_name: str, arguments: dict[str, Any], workspace: Path, run_dir: Path, log: Any, terminal: Console
) -> None:
    os.environ[journal.RUN_DIR_VARIABLE] = str(run_dir)
    os.environ["PYTHONUNBUFFERED"] = "1"  # otherwise the stages' lines come in blocks
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    choose_threads()
    cache_dir = workspace / "cache"

    def reuse(task: str, key: str) -> None:
        entry = _cached_report(cache_dir, key)
        if task in summary.STAGES:
            screen.show(task, "unchanged; the earlier result is used")
            outcome = {"stage": task, "status": "succeeded", "reused": True, "seconds": 0.0, "report": entry}
            journal.write_journal(run_dir, task, outcome)

    screen = Screen(log, terminal, reuse)
    with (
        tempfile.TemporaryDirectory(prefix="expressnet-") as scratch,
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
    ):
        os.environ["TMPDIR"] = scratch  # kfp leaves a folder there for every task
        # kfp sets up logging around each task only, but says between them what it takes from its cache.
        logging.basicConfig(level=logging.INFO, stream=screen, force=True)
        # Imported here so that `--help` and wrong arguments answer at once.
        from kfp import local

        from pipelines import catalog

        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(workspace / "artifacts"),
            enable_caching=True,
            cache_root=str(cache_dir),
        )
        # A failed task: the stage's own message and the summary say what went wrong.
        with contextlib.suppress(RuntimeError):
            catalog.load(pipeline_name)(**arguments)


def _cached_report(cache_dir: Path, key: str) -> dict[str, Any]:
    """Returns the report that a cached task left in the metadata of its artifacts."""
    outputs = storage.read_json(next(cache_dir.glob(f"{key}*.json")))
    report: dict[str, Any] = {}
    for output in outputs.values():
        if isinstance(output, dict):
            report |= output.get("metadata", {})
    # Kubeflow hands every number of the metadata over as a float.
    return {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in report.items()}


def _tell(run_dir: Path, terminal: Console) -> None:
    path = run_dir / summary.SUMMARY_FILE
    if not path.exists():
        raise RunError(f"The run ended without a summary; {run_dir / _LOG_FILE} has the details.")
    found = storage.read_json(path)
    terminal.print()
    for topic, sentence in summary.lines(found):
        if topic == "failed" and found["failed_stage"]:
            continue  # the stage has said it already
        terminal.print(f"[bold]{topic:<13}[/]", end="")
        terminal.print(sentence, markup=False, highlight=False, soft_wrap=True)
    # That of promote is that of evaluate together with the champion.
    reports = [found["stages"].get(name, {}).get("report", {}).get("report_path") for name in ("promote", "evaluate")]
    report = next(filter(None, reports), None)
    for topic, place in (("report", report), ("summary", path), ("log", run_dir / _LOG_FILE)):
        if place:
            terminal.print(f"[bold]{topic:<13}[/]{place}", highlight=False, soft_wrap=True)
    sys.stdout.flush()
    if found["state"] != "SUCCEEDED" or found["failed_stage"]:
        raise RunError(
            f"The run failed in the stage {found['failed_stage'] or '?'}. Once the cause is fixed, the same command "
            "goes on from there."
        )

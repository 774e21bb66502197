"""Kills registering and promoting at every line, and lets the next call go on."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from expressnet.config.promote import PromoteConfig
from expressnet.registry import champions, mlflow_client, registry, sealed_files
from expressnet.report import champion_section
from expressnet.runtime import storage
from expressnet.stages import promote, register
from tests.made import made_models

_STEPS = tuple(
    module.__file__ for module in (register, registry, promote, champion_section, champions, sealed_files, storage)
)
MODEL_NAME = "expressnet-made"


def kill_everywhere(template: Path, folder: Path) -> Counter[str]:
    """Kills right before every line from registering to the alias, each in a new workspace, and calls again.

    Args:
        template: a workspace with MLflow's tables.
        folder: for the workspaces; each is deleted after its turn.

    Returns:
        Counts: `kills`, and `healed`: after the next call there is one version, it is champion by pointer, history and
        alias, the history is whole, and no other run is left.
    """
    made = made_models.write(folder / "made")
    counts: Counter[str] = Counter()
    lines = _lines(template, folder, made)
    for line in lines:
        workspace = _workspace(template, folder)
        if _in_fork(_killed_before, workspace, made, line) != -signal.SIGKILL:
            raise RuntimeError(f"The call ended before it came to {line}.")
        _in_fork(_promote, workspace, made)
        is_healed = _in_fork(_require_healed, workspace) == 0
        counts.update(kills=1, healed=int(is_healed))
        if not is_healed:
            print(f"not healed after a kill before {line}", flush=True)
        if counts["kills"] % 50 == 0:
            print(f"{counts['kills']} of {len(lines)} kills, {counts['healed']} healed", flush=True)
        shutil.rmtree(workspace)
    return counts


def _workspace(template: Path, folder: Path) -> Path:
    workspace = Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(template / "mlflow.db", workspace / "mlflow.db")
    return workspace


def _in_fork(work: Any, *arguments: Any) -> int:
    """Runs `work` in a process of its own; returns its exit code, minus the signal if one ended it."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            with Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), sys.stdout.fileno())
                work(*arguments)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _promote(workspace: Path, made: tuple[Path, Path]) -> None:
    out = Path(tempfile.mkdtemp(dir=workspace))
    report = register.run(str(made[0]), str(made[1]), str(out / "registration"), str(workspace)).plain()
    promote.run(report["version"], "", str(out / "promotion"), str(workspace), PromoteConfig())


def _lines(template: Path, folder: Path, made: tuple[Path, Path]) -> list[tuple[str, int]]:
    """Returns file and line of every step, once each, in the order in which a call first comes to it.

    What such a call imports is imported here too, for the forks to come: that is most of their time.
    """
    workspace = _workspace(template, folder)
    _in_fork(_write_lines, workspace, made)
    lines = [(name, line) for name, line in storage.read_json(workspace / "lines.json")]
    for name in storage.read_json(workspace / "modules.json"):
        with contextlib.suppress(ImportError):  # some are parts that their packages made up
            importlib.import_module(name)
    shutil.rmtree(workspace)
    return lines


def _write_lines(workspace: Path, made: tuple[Path, Path]) -> None:
    seen: dict[tuple[str, int], None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in _STEPS:
            return None
        if event == "line":
            seen.setdefault((frame.f_code.co_filename, frame.f_lineno))
        return note

    sys.settrace(note)
    _promote(workspace, made)
    sys.settrace(None)
    storage.write_json(workspace / "lines.json", list(seen))
    storage.write_json(workspace / "modules.json", list(sys.modules))


def _killed_before(workspace: Path, made: tuple[Path, Path], line: tuple[str, int]) -> None:
    def kill(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in _STEPS:
            return None
        if event == "line" and (frame.f_code.co_filename, frame.f_lineno) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return kill

    sys.settrace(kill)
    _promote(workspace, made)


def _require_healed(workspace: Path) -> None:
    models, client = registry.Registry(workspace), mlflow_client.connect(workspace)
    (version,) = client.search_model_versions(f"name = '{MODEL_NAME}'")
    experiment = client.get_experiment_by_name("expressnet").experiment_id
    (run,) = client.search_runs([experiment])
    chain = models.champions(MODEL_NAME)
    alias = client.get_model_version_by_alias(MODEL_NAME, mlflow_client.CHAMPION_ALIAS)
    pointer = storage.read_json(workspace / "registry" / MODEL_NAME / champions.POINTER_FILE)
    found = (alias.version, pointer["number"], run.info.run_id, len(chain.entries()), chain.problems())
    if found != (version.version, str(version.version), version.run_id, 1, []) or pointer != chain.current():
        raise ValueError(f"version {version.version}, but {found}")
    models.champion_dir()

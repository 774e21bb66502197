"""The journal that a running stage leaves for the run's summary, and what it tells people when it fails."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from expressnet.runtime import console, storage

RUN_DIR_VARIABLE = "EXPRESSNET_RUN_DIR"


@contextlib.contextmanager
def stage(name: str, about: str, *, part: int | None = None) -> Iterator[dict[str, Any]]:
    """Runs one stage in the open: says what it does, how long it took, or in one message what is wrong.

    The outcome is written to `journal/<name>.json` of the folder that the environment variable
    EXPRESSNET_RUN_DIR names, if it names one; to `journal/<name>-<part>.json` where parts of one stage run at the same
    time. The yielded dict takes the stage's report.
    """
    console.speak_as(name)
    console.say(about)
    started = time.monotonic()
    report: dict[str, Any] = {}
    outcome: dict[str, Any] = {"stage": name, "status": "failed"}
    try:
        yield report
        outcome |= {"status": "succeeded", "report": report}
    except BaseException as error:
        outcome["error"] = explain(error)
        console.say(console.ERROR_MARK + outcome["error"])
        raise
    finally:
        outcome["seconds"] = round(time.monotonic() - started, 1)
        # The journal must not hide the stage's own error when the disk is full.
        with contextlib.suppress(OSError):
            if folder := run_dir():
                write_journal(folder, name if part is None else f"{name}-{part:03}", outcome)
    console.say(f"done in {outcome['seconds']:.1f} s")


def run_dir() -> Path | None:
    """Returns the folder of the run that this process belongs to, None outside a run.

    On a cluster the name holds another variable, the id of the run, that only the pod knows.
    """
    folder = os.environ.get(RUN_DIR_VARIABLE)
    return Path(os.path.expandvars(folder)) if folder else None


def write_journal(folder: Path, name: str, outcome: dict[str, Any]) -> None:
    """Writes the journal entry of one stage, or of a part of it, into a run's folder."""
    storage.write_json(folder / "journal" / f"{name}.json", outcome)


def explain(error: BaseException) -> str:
    """Says in one message what went wrong and what to do about it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            where = cause.filename or "while writing"
            return f"The disk is full ({where}). Free some space or set OUT= to another disk."
        if isinstance(cause, OSError) and cause.errno in (errno.EROFS, errno.EACCES):
            return (
                f"No permission for {cause.filename} ({cause.strerror}). Fix the permissions, or set OUT= to a folder "
                "that can be written if it is the output."
            )
        if "disk is full" in str(cause) or "No space left on device" in str(cause):
            return f"The disk is full ({str(cause).splitlines()[0]}). Free some space or set OUT= to another disk."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (ValueError, FileNotFoundError, FileExistsError, storage.ConflictError, OSError)):
        return str(error)
    return f"unexpected {type(error).__name__}: {error} (the log has the details)"

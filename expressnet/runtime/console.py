"""What a running stage tells people, and the journal it leaves for the run's summary.

Every line for people reads `[stage] text`, in a terminal, a log file or a pod's log alike; a line that only
updates a progress bar reads `[stage] … bar`, so that whoever shows it may overwrite the last one.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from expressnet.runtime import storage

RUN_DIR_VARIABLE = "EXPRESSNET_RUN_DIR"
PROGRESS_MARK = "… "
ERROR_MARK = "error: "
_PROGRESS_AFTER_S = 2.0

_Item = TypeVar("_Item")
_stage = "expressnet"


def say(text: str) -> None:
    """Prints a message for people, every line of it marked with the stage's name."""
    for line in text.encode("utf-8", "replace").decode().splitlines():
        print(f"[{_stage}] {line}", flush=True)


class _BarLines(io.TextIOBase):
    """Turns tqdm's carriage returns into marked lines."""

    def write(self, text: str) -> int:
        if bar := text.strip():
            say(PROGRESS_MARK + bar)
        return len(text)


def progress_bar(*, total: int | None, unit: str, initial: int = 0) -> tqdm:
    """Returns a bar with rate and, where the total is known, ETA; it shows itself after two seconds of work."""
    return tqdm(
        total=total, initial=initial, unit=unit, unit_scale=False, file=_BarLines(), delay=_PROGRESS_AFTER_S,
        mininterval=1.0, leave=False, ncols=78, dynamic_ncols=False,
    )  # fmt: skip


def progress(items: Iterable[_Item], *, total: int | None = None, unit: str) -> Iterator[_Item]:
    """Yields `items` under a progress bar."""
    with progress_bar(total=total, unit=f" {unit}") as bar:
        for item in items:
            yield item
            bar.update()


@contextlib.contextmanager
def stage(name: str, about: str, *, part: int | None = None) -> Iterator[dict[str, Any]]:
    """Runs one stage in the open: says what it does, how long it took, or in one message what is wrong.

    The outcome is written to `journal/<name>.json` of the folder that the environment variable
    EXPRESSNET_RUN_DIR names, if it names one; to `journal/<name>-<part>.json` where parts of one stage run at the same
    time. The yielded dict takes the stage's report.
    """
    global _stage
    _stage = name
    say(about)
    started = time.monotonic()
    report: dict[str, Any] = {}
    outcome: dict[str, Any] = {"stage": name, "status": "failed"}
    try:
        yield report
        outcome |= {"status": "succeeded", "report": report}
    except BaseException as error:
        outcome["error"] = explain(error)
        say(ERROR_MARK + outcome["error"])
        raise
    finally:
        outcome["seconds"] = round(time.monotonic() - started, 1)
        # The journal must not hide the stage's own error when the disk is full.
        with contextlib.suppress(OSError):
            if folder := run_dir():
                write_journal(folder, name if part is None else f"{name}-{part:03}", outcome)
    say(f"done in {outcome['seconds']:.1f} s")


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
                f"No permission for {cause.filename} ({cause.strerror}). Mend the permissions, or set OUT= to a folder "
                "that can be written if it is the output."
            )
        if "disk is full" in str(cause) or "No space left on device" in str(cause):
            return f"The disk is full ({str(cause).splitlines()[0]}). Free some space or set OUT= to another disk."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (ValueError, FileNotFoundError, FileExistsError, storage.ConflictError, OSError)):
        return str(error)
    return f"unexpected {type(error).__name__}: {error} (the log has the details)"

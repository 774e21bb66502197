"""What a running stage tells people.

Every line for people reads `[stage] text`, in a terminal, a log file or a pod's log alike; a line that only
updates a progress bar reads `[stage] … bar`, so that whoever shows it may overwrite the last one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

PROGRESS_MARK = "… "
ERROR_MARK = "error: "
_PROGRESS_AFTER_S = 2.0

_Item = TypeVar("_Item")
_stage = "expressnet"


def speak_as(stage: str) -> None:
    """Marks what this process says from now on with the name of a stage."""
    global _stage
    _stage = stage


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
        total=total,
        initial=initial,
        unit=unit,
        unit_scale=False,
        file=_BarLines(),
        delay=_PROGRESS_AFTER_S,
        mininterval=1.0,
        leave=False,
        ncols=78,
        dynamic_ncols=False,
    )


def progress(items: Iterable[_Item], *, total: int | None = None, unit: str) -> Iterator[_Item]:
    """Yields `items` under a progress bar."""
    with progress_bar(total=total, unit=f" {unit}") as bar:
        for item in items:
            yield item
            bar.update()

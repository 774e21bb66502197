"""What a person sees of a local run: the lines that stages mark for people; everything goes to the log."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from expressnet.runtime import console

_MARKED = re.compile(r"^\s*\[(?P<stage>\w+)\] (?P<text>.*)$")
_CACHE_HIT = re.compile(r"Task (?P<task>\S+) cache hit \(key=(?P<key>\w+)\)")
# Where lines can't be overwritten, a progress bar would fill the file.
_PROGRESS_EVERY_S = 30.0
_STAGE_WIDTH = 9


class Screen(io.TextIOBase):
    """Stands in for stdout while Kubeflow runs: logs everything and shows what is meant for people.

    Args:
        log: the log file.
        terminal: where people look.
        on_cache_hit: called with the task's name and the cache key's beginning when Kubeflow reuses a result.
    """

    def __init__(self, log: TextIO, terminal: Console, on_cache_hit: Callable[[str, str], None]):
        self._log, self._terminal, self._on_cache_hit = log, terminal, on_cache_hit
        self._rest = ""
        self._bar_shown = False
        self._last_bar_s = time.monotonic()

    def write(self, text: str) -> int:
        """Takes text in pieces of any size and handles it line by line."""
        # A full disk must not keep the stage's own message about it from the screen.
        with contextlib.suppress(OSError):
            self._log.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._handle(line)
        return len(text)

    def flush(self) -> None:
        """Flushes the log."""
        with contextlib.suppress(OSError):
            self._log.flush()

    def _handle(self, line: str) -> None:
        if marked := _MARKED.match(line):
            self.show(marked["stage"], marked["text"])
        elif hit := _CACHE_HIT.search(line):
            self._on_cache_hit(hit["task"], hit["key"])

    def show(self, stage: str, text: str) -> None:
        """Shows one line of a stage; a progress bar overwrites the one before it."""
        is_bar = text.startswith(console.PROGRESS_MARK)
        if is_bar and not self._terminal.is_terminal:
            if time.monotonic() - self._last_bar_s < _PROGRESS_EVERY_S:
                return
            self._last_bar_s = time.monotonic()
        if self._bar_shown:
            self._terminal.file.write("\r\x1b[2K")
        name = f"[bold cyan]{escape(stage):<{_STAGE_WIDTH}}[/]"
        is_error = text.startswith(console.ERROR_MARK)
        body = f"[bold red]{escape(text)}[/]" if is_error else escape(text.removeprefix(console.PROGRESS_MARK))
        self._bar_shown = is_bar and self._terminal.is_terminal
        # A bar may be cut at the edge of the screen, words may not.
        self._terminal.print(
            f"{name} {body}",
            end="" if self._bar_shown else "\n",
            highlight=False,
            soft_wrap=not is_bar,
            no_wrap=is_bar,
            overflow="crop" if is_bar else None,
        )

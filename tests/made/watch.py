"""Sees what a block of code opens, writes and connects to."""

from __future__ import annotations

import os
import sys
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What an event of the interpreter (sys.addaudithook) creates or changes: the place of the path in its arguments.
_CHANGING = {"os.mkdir": 0, "os.rename": 1, "os.symlink": 1, "os.link": 1, "os.chmod": 0}


class Watch:
    """What this process opens and connects to while it is in a `with` block.

    Attributes:
        written: paths that were created, changed or opened for writing.
        read: paths that were opened for reading or listed.
        connections: network events.
    """

    _current: Watch | None = None
    _is_hooked = False

    def __init__(self) -> None:
        self.written: list[str] = []
        self.read: list[str] = []
        self.connections: list[str] = []

    def __enter__(self) -> Watch:
        if not Watch._is_hooked:  # a hook stays for as long as the process
            sys.addaudithook(lambda event, arguments: Watch._current and Watch._current._take(event, arguments))
            Watch._is_hooked = True
        Watch._current = self
        return self

    def __exit__(self, *error: object) -> None:
        Watch._current = None

    def _take(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            is_written = arguments[2] & _WRITING or set(arguments[1] or "") & set("wax+")
            (self.written if is_written else self.read).append(os.fsdecode(arguments[0]))
        elif event in ("os.scandir", "os.listdir"):
            self.read.append(str(arguments[0]))
        elif event in _CHANGING and isinstance(arguments[_CHANGING[event]], (str, os.PathLike)):
            self.written.append(os.fspath(arguments[_CHANGING[event]]))
        elif event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind")):
            self.connections.append(f"{event} {arguments[1:]}")

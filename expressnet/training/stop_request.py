"""Signals that ask a training to end, obeyed when its state is safe."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Stopped(SystemExit):
    """SIGTERM came. The exit code is the one that shells give such a process."""


class StopRequest:
    """SIGTERM and SIGINT, which wait while something must not be interrupted.

    Attributes:
        came: whether one did.
        must_wait: whether it is only noted; otherwise it ends what is running at once.
    """

    def __init__(self) -> None:
        self.must_wait = False
        self._number = 0

    @property
    def came(self) -> bool:
        """Whether a signal asked to end."""
        return bool(self._number)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals over, those that the process does not ignore; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        taken = [one for one in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(one) != signal.SIG_IGN]
        before = {one: signal.signal(one, self._come) for one in taken}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _come(self, number: int, _frame: Any) -> None:
        self._number = number
        if not self.must_wait:
            self.obey()

    def obey(self) -> None:
        """Ends if a signal came.

        Raises:
            Stopped: SIGTERM did.
            KeyboardInterrupt: SIGINT did.
        """
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._number:
            raise Stopped(128 + self._number)

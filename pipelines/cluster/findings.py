"""What an examination finds."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, FAILED = "ok", "warning", "FAILED"


class Finding(NamedTuple):
    """One line of the doctor.

    Attributes:
        state: ok, warning or FAILED.
        what: the fact.
        fix: what to do about it; "" if nothing is to be done.
    """

    state: str
    what: str
    fix: str = ""

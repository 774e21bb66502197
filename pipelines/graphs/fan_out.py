"""How many tasks share the cutting of faces: a part of the graph, so it must be known when a pipeline is compiled.

A profile says it. A graph that is built without one, as for a laptop, has no loop.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

from expressnet.config.base import require
from expressnet.config.crop import MAX_PARTS


@dataclasses.dataclass(frozen=True, kw_only=True)
class FanOut:
    """How a stage's work is shared.

    Attributes:
        parts: tasks; 1 is the stage alone. Shards come in powers of 16, so 16 or 256 parts have equal shares.
        parallelism: how many of them at the same time.
    """

    parts: int = 1
    parallelism: int = 1

    def __post_init__(self) -> None:
        whole = all(isinstance(value, int) for value in (self.parts, self.parallelism))
        require(whole, "crop.parts and crop.parallelism", "whole numbers", (self.parts, self.parallelism))
        require(
            1 <= self.parts <= MAX_PARTS, "crop.parts", f"1 to {MAX_PARTS}, the most that one loop takes", self.parts
        )
        require(
            1 <= self.parallelism <= self.parts,
            "crop.parallelism",
            f"1 to {self.parts}, the number of parts",
            self.parallelism,
        )


SHARED = "cut"  # the stage of the parts
ALONE = FanOut()
_current = contextvars.ContextVar("fan_out", default=ALONE)


def current() -> FanOut:
    """Returns what the graph that is being built is to have."""
    return _current.get()


@contextlib.contextmanager
def using(fan_out: FanOut) -> Iterator[None]:
    """Makes it the one of all graphs that the body builds."""
    token = _current.set(fan_out)
    try:
        yield
    finally:
        _current.reset(token)

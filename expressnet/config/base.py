"""What the settings of all stages share."""

from __future__ import annotations

import dataclasses
from typing import Any


def require(condition: bool, name: str, requirement: str, value: Any) -> None:
    """Raises a ValueError that says what `name` must be and what it was, unless `condition` holds."""
    if not condition:
        raise ValueError(f"{name} must be {requirement}; got {value!r}.")


def digest_fields(config: Any) -> dict[str, Any]:
    """Returns a stage's settings as plain values, for digests and provenance.

    The number of processes and the cache of crops are left out: they change how long a stage takes, not what comes
    out. So are the pictures in a page, for it is written anew each time, and the place of a file whose digest is there.
    """
    files = ("backbone_weights", "initial_weights", "split_file", "kept_file")
    left_out = ("num_workers", "crop_cache", "pictures", *files)
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in left_out}

"""The settings of the stage validate."""

from __future__ import annotations

import dataclasses

from expressnet.config.base import require

SEVERITIES = ("stop", "warn", "off")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidateConfig:
    """When the gate stops the run.

    Attributes:
        min_per_class: fewest examples a class may have.
        min_side_px: smallest width and height of an image, pixels.
        max_side_px: largest width and height of an image, pixels.
        max_bytes: largest file.
        max_unreadable: largest share of files that are no image, 0..1; fewer are left out with a warning.
        compare_with: first digits of the digest of another data set of the workspace, whose colours are shown beside.
        severities: what failed checks do, as `copies=off,exposure=stop`; those not named keep their own severity.
    """

    min_per_class: int = 10
    min_side_px: int = 16
    max_side_px: int = 12_000
    max_bytes: int = 64 * 2**20
    max_unreadable: float = 0.01
    compare_with: str = ""
    severities: str = ""

    def __post_init__(self) -> None:
        require(self.min_per_class >= 3, "min_per_class", "at least 3 (train, val, test)", self.min_per_class)
        require(0 < self.min_side_px <= self.max_side_px, "min_side_px", "in 1..max_side_px", self.min_side_px)
        require(self.max_bytes > 0, "max_bytes", "positive", self.max_bytes)
        require(0 <= self.max_unreadable < 1, "max_unreadable", "in [0, 1)", self.max_unreadable)
        for part in filter(None, self.severities.split(",")):
            require(part.partition("=")[2] in SEVERITIES, "severities", "like copies=off,exposure=stop", part)

    @property
    def chosen_severities(self) -> dict[str, str]:
        """The severities that the user chose, by check."""
        parts = (part.strip().partition("=") for part in filter(None, self.severities.split(",")))
        return {check: severity for check, _, severity in parts}

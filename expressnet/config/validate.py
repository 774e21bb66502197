"""The settings of the stage validate."""

from __future__ import annotations

from expressnet.config.base import option, require, setting, settings

SEVERITIES = ("stop", "warn", "off")


@settings
class ValidateConfig:
    """When the gate stops the run."""

    min_per_class: int = option(10, "fewest examples a class may have: train, val and test need one each", ge=3)
    min_side_px: int = setting(16, "smallest width and height of an image, pixels", gt=0)
    max_side_px: int = setting(12_000, "largest width and height of an image, pixels", gt=0)
    max_bytes: int = setting(64 * 2**20, "largest file, bytes", gt=0)
    max_unreadable: float = setting(
        0.01, "largest share of files that are no image, 0..1; fewer are left out with a warning", ge=0, lt=1
    )
    compare_with: str = option(
        "", "first digits of another ingested data set's digest, whose colours are shown beside this one's"
    )
    severities: str = option(
        "", "what failed checks of the data do, as copies=off,exposure=stop; the report names the checks"
    )

    def __post_init__(self) -> None:
        require(self.min_side_px <= self.max_side_px, "min_side_px", "in 1..max_side_px", self.min_side_px)
        for part in filter(None, self.severities.split(",")):
            require(part.partition("=")[2] in SEVERITIES, "severities", "like copies=off,exposure=stop", part)

    @property
    def chosen_severities(self) -> dict[str, str]:
        """The severities that the user chose, by check."""
        parts = (part.strip().partition("=") for part in filter(None, self.severities.split(",")))
        return {check: severity for check, _, severity in parts}

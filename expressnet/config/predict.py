"""The settings of the stage predict and of the local page."""

from __future__ import annotations

import re

from expressnet.config.base import option, require, setting, settings

_VERSION = re.compile(r"^(\d{8}-[0-9a-f]{8})?$")


@settings
class ModelChoice:
    """Which registered model answers."""

    model: str = option("", "name of a registered model, such as expressnet-demo; not needed where there is one")
    version: str = option("", "YYYYMMDD-<digest8> of a registered version; empty for the champion")

    def __post_init__(self) -> None:
        require("'" not in self.model, "model", "the name of a registered model", self.model)
        require(
            _VERSION.match(self.version) is not None,
            "version",
            'YYYYMMDD-<8 hex digits>, or "" for the champion',
            self.version,
        )


@settings
class PredictConfig(ModelChoice):
    """What is predicted with which model."""

    gallery: bool = option(False, "also write a page that shows the faces")
    max_gallery_bytes: int = setting(3_000_000, "most bytes of that page", ge=100_000)
    files_each: int = setting(512, "files predicted together; a killed run loses so many at most", gt=0)
    num_workers: int = setting(0, "processes that decode and crop; 0 takes one per CPU", ge=0, in_digest=False)


@settings
class ServeConfig(ModelChoice):
    """How the local page answers."""

    port: int = option(8000, "port of 127.0.0.1; 0 takes a free one", ge=0, le=65_535)
    max_bytes: int = setting(20 * 2**20, "most bytes of a photograph", gt=0)
    timeout_s: float = setting(20.0, "longest time that decoding and cropping one may take, seconds", gt=0)

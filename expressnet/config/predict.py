"""The settings of the stage predict and of the local page."""

from __future__ import annotations

import dataclasses
import re

from expressnet.config.base import require

_VERSION = re.compile(r"^(\d{8}-[0-9a-f]{8})?$")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which registered model answers.

    Attributes:
        model: its name, such as expressnet-demo; "" where the workspace has one champion only, or a version is named.
        version: `YYYYMMDD-<digest8>`; "" for the champion.
    """

    model: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        require("'" not in self.model, "model", "the name of a registered model", self.model)
        require(
            _VERSION.match(self.version) is not None,
            "version",
            'YYYYMMDD-<8 hex digits>, or "" for the champion',
            self.version,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(ModelChoice):
    """What is predicted with which model.

    Attributes:
        gallery: whether a page with the crops is written.
        max_gallery_bytes: most bytes of that page.
        files_each: files predicted together; a killed run loses so many at most.
        num_workers: processes that decode and crop; 0 takes one per CPU.
    """

    gallery: bool = False
    max_gallery_bytes: int = 3_000_000
    files_each: int = 512
    num_workers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.max_gallery_bytes >= 100_000, "max_gallery_bytes", "at least 100,000", self.max_gallery_bytes)
        require(self.files_each > 0, "files_each", "positive", self.files_each)
        require(self.num_workers >= 0, "num_workers", "0 (one per CPU) or a count", self.num_workers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig(ModelChoice):
    """How the local page answers.

    Attributes:
        port: of 127.0.0.1; 0 takes a free one.
        max_bytes: most bytes of a photograph.
        timeout_s: longest time that decoding and cropping one may take, seconds.
    """

    port: int = 8000
    max_bytes: int = 20 * 2**20
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.port <= 65_535, "port", "in 0..65535", self.port)
        require(self.max_bytes > 0, "max_bytes", "positive", self.max_bytes)
        require(self.timeout_s > 0, "timeout_s", "positive", self.timeout_s)

"""Where the crops of a data set lie: one folder for the way of cutting and the data, and what is begun of it beside."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.config.base import digest_fields
from expressnet.config.crop import CropConfig
from expressnet.data import manifest, shards
from expressnet.runtime import code_version, storage


@dataclasses.dataclass(frozen=True)
class CropFolder:
    """The folder of the crops that settings and code make of one data set.

    Attributes:
        path: `<store>/<settings>-<data set>`.
        dataset_dir: output of ingest.
        dataset: what ingest says of it.
    """

    path: Path
    dataset_dir: str
    dataset: DatasetInfo

    @classmethod
    def of(cls, dataset_dir: str, store_dir: str | Path, config: CropConfig) -> CropFolder:
        """Returns the folder in the store that all data sets share."""
        dataset = DatasetInfo.read(dataset_dir)
        settings = storage.json_digest([digest_fields(config), code_version.digest("faces.crop_shards")])
        return cls(Path(store_dir) / f"{settings[:16]}-{dataset.dataset_digest[:16]}", dataset_dir, dataset)

    @property
    def partial(self) -> Path:
        """The folder that becomes `path` when all is cut."""
        return self.path.with_name(self.path.name + storage.PARTIAL_SUFFIX)

    def is_done(self) -> bool:
        """Returns whether all is cut."""
        return CropsInfo.path(self.path).exists()

    def earlier(self) -> list[Path]:
        """Returns the shards that the same settings and code made of other states of the data."""
        settings = self.path.name.partition("-")[0]
        infos = sorted(self.path.parent.glob(f"{settings}-*/{CropsInfo.FILE}"))
        # A kill between the last file and the rename leaves a partial folder that has one.
        return [path.parent / shards.FOLDER for path in infos if path.parent.suffix != storage.PARTIAL_SUFFIX]

    def photos(self) -> tuple[pd.DataFrame, int]:
        """Returns the rows of the photographs that can be read, and the number of the others."""
        rows = manifest.read(self.dataset_dir)
        readable = rows[rows["problem"] == ""]
        return readable, len(rows) - len(readable)

"""What crop leaves beside the shards of crops."""

from __future__ import annotations

from typing import Any, ClassVar

from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.stored import Stored


class CropsInfo(Stored):
    """The facts of the crops of one data set.

    Attributes:
        crops_digest: of their content.
        code_digest, config: of the code and the settings that cut them.
        dataset: the data set that they are of.
        num_examples, num_left_out: photographs that were cut, and those that could not be read.
        num_faces_found, face_rate, several_faces_rate: on them.
        face_rate_by_class: share of photographs with a face, by class.
        size_px, mode, detector: how.
        num_compared: photographs that both BlazeFace models saw; in which share each found a face, and both agreed.
    """

    FILE: ClassVar[str] = "crops.json"

    num_examples: int = 0
    num_left_out: int = 0
    num_faces_found: int = 0
    face_rate: float = 0.0
    several_faces_rate: float = 0.0
    size_px: int = 0
    mode: str = ""
    detector: str = ""
    num_compared: int = 0
    short_range_rate: float | None = None
    full_range_rate: float | None = None
    agreement: float | None = None
    crops_digest: str
    code_digest: str = ""
    config: dict[str, Any]
    dataset: DatasetInfo
    face_rate_by_class: dict[str, float] = {}


class ErasedCrops(Stored):
    """What is left of crops when `forget` took examples out of them: shards that the next crop links."""

    FILE: ClassVar[str] = CropsInfo.FILE

    note: str = "shards for the next crop with the same settings"

"""What a model folder says of where the model comes from, and of what it takes as input."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from expressnet.artifacts.stored import Stored
from expressnet.runtime import storage

# The other files of a model folder.
MODEL_FILE, WEIGHTS_FILE = "model.keras", "weights.safetensors"
CLASSES_FILE, HISTORY_FILE = "classes.json", "history.csv"


class Provenance(Stored):
    """The origin of a model.

    Attributes:
        dataset, dataset_id, licence, real_faces: of the data set.
        dataset_digest, crops_digest, split_digest: of what it was trained on.
        protocol: by which it was selected.
        config, config_digest: settings of the training.
        code_digest: of the training; `earlier_code_digests` of crop and split.
        split_config: settings of the split.
        kept_from: see SplitInfo.
        versions: of the packages.
        backbone_weights: in words.
        training: report of the training.
    """

    FILE: ClassVar[str] = "provenance.json"

    dataset: str
    dataset_id: str
    licence: str = ""
    real_faces: bool = True
    dataset_digest: str
    crops_digest: str = ""
    split_digest: str
    protocol: str
    config: dict[str, Any]
    config_digest: str = ""
    code_digest: str = ""
    earlier_code_digests: dict[str, str] = {}
    split_config: dict[str, Any] = {}
    kept_from: str = ""
    versions: dict[str, str] = {}
    backbone_weights: str = ""
    training: dict[str, Any] = {}


class Preprocess(Stored):
    """How a photograph becomes the input of a model.

    The file has no version: its bytes are part of the model digest.

    Attributes:
        size_px: side of a crop.
        channel_order: `rgb` or `bgr`.
        scale: in words.
        test_time_flip: whether the answer is the mean over an image and its mirror image.
        crop: settings of the cropping, see expressnet.config.crop.CropConfig.
    """

    FILE: ClassVar[str] = "preprocess.json"

    size_px: int
    channel_order: str = "rgb"
    scale: str = "pixel / 255"
    test_time_flip: bool = False
    crop: dict[str, Any]

    def write(self, folder: str | Path) -> None:
        """Writes the file, without a version."""
        storage.write_json(self.path(folder), self.as_dict())

"""A model's answers for rows of a data set, whose photographs are cut anew the way it wants them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from expressnet.config.crop import CropConfig
from expressnet.data import manifest, shards
from expressnet.faces import crop_pixels, crop_shards
from expressnet.runtime import storage

if TYPE_CHECKING:
    from expressnet.inference import bundle


def predict(
    model: bundle.Bundle, dataset_dir: Path, wanted_sha256: pd.Series, scratch_dir: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """Predicts photographs of a data set; takes and raises what `load` does.

    Returns:
        The rows that could be cut, and the model's probabilities for them, float[rows, classes].
    """
    crops, cut = load(model, dataset_dir, wanted_sha256, scratch_dir)
    return crops, model.predict(cut).probabilities


def load(
    model: bundle.Bundle, dataset_dir: Path, wanted_sha256: pd.Series, scratch_dir: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """Cuts the faces out of photographs of a data set.

    Args:
        model: whose settings say how faces are cut.
        dataset_dir: output of ingest.
        wanted_sha256: of the photographs.
        scratch_dir: folder for crops, which are deleted afterwards.

    Returns:
        The rows that could be cut, and their crops, uint8[rows, size_px, size_px, 3].

    Raises:
        FileNotFoundError: the data set is not there.
    """
    if not dataset_dir.is_dir():
        raise FileNotFoundError(
            f"The pictures of the test split are needed, but {dataset_dir} is not there. `make run` with the same data "
            "brings them back; was OUT= another folder?"
        )
    photos = manifest.read(dataset_dir)
    photos = photos[photos["sha256"].isin(wanted_sha256)].reset_index(drop=True)
    scratch_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(suffix=storage.PARTIAL_SUFFIX, dir=scratch_dir) as scratch:
        crops: pd.DataFrame = crop_shards.cut_all(
            photos, str(dataset_dir), Path(scratch) / shards.FOLDER, CropConfig(**model.preprocess.crop)
        )
        return crops, crop_pixels.load(scratch, crops, model.preprocess.size_px, scratch)

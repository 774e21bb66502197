"""The model as it travels: a folder that a consumer can use with nothing else.

`model.keras`, `weights.safetensors`, `preprocess.json`, `classes.json`, `provenance.json`, `history.csv`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from safetensors.numpy import save_file

from expressnet import pixels as crops
from expressnet import storage
from expressnet.model import expressnet, fft_conv

MODEL_FILE, WEIGHTS_FILE = "model.keras", "weights.safetensors"
PREPROCESS_FILE, CLASSES_FILE = "preprocess.json", "classes.json"
PROVENANCE_FILE, HISTORY_FILE = "provenance.json", "history.csv"
_BATCH = 256


class Prediction(NamedTuple):
    """What a model says about n images.

    Attributes:
        probabilities: float32[n, classes].
        expression_gates: float32[n, experts], gates of the mixture over the fused features.
        cnn_gates: float32[n, experts], gates of the mixture over the first extractor's features.
    """

    probabilities: np.ndarray
    expression_gates: np.ndarray
    cnn_gates: np.ndarray


def save(
    folder: Path, model: keras.Model, *, classes: list[str], preprocess: dict[str, Any], provenance: dict[str, Any]
) -> None:
    """Writes all of a model but its history."""
    model.save(folder / MODEL_FILE)
    weights = {f"{place:04d}.{weight.path}": np.asarray(weight) for place, weight in enumerate(model.weights)}
    save_file(weights, folder / WEIGHTS_FILE)
    storage.write_json(folder / PREPROCESS_FILE, preprocess)
    storage.write_json(folder / CLASSES_FILE, classes)
    storage.write_json(folder / PROVENANCE_FILE, provenance)


def digest(folder: str | Path) -> str:
    """Returns the model digest: what it computes, not when it was saved (model.keras holds a time stamp)."""
    parts = {name: storage.file_sha256(Path(folder) / name) for name in (WEIGHTS_FILE, PREPROCESS_FILE, CLASSES_FILE)}
    return storage.json_digest(parts)


class Bundle:
    """A model read back from its folder."""

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        missing = [name for name in (MODEL_FILE, PREPROCESS_FILE, CLASSES_FILE) if not (folder / name).exists()]
        if missing:
            raise FileNotFoundError(f"{folder} is no model folder: {', '.join(missing)} missing.")
        self.model = keras.models.load_model(folder / MODEL_FILE)
        self.classes: list[str] = storage.read_json(folder / CLASSES_FILE)
        self.preprocess: dict[str, Any] = storage.read_json(folder / PREPROCESS_FILE)
        fft_conv.keep_spectra(self.model)
        self._with_gates = expressnet.with_gates(self.model)

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Predicts uint8[n, size_px, size_px, 3] RGB crops; where the recipe says so, with their mirror images."""
        batches = [self._predict(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
        return Prediction(*(np.concatenate(outputs) for outputs in zip(*batches, strict=True)))

    def _predict(self, pixels: np.ndarray) -> list[np.ndarray]:
        images = crops.as_input(pixels, self.preprocess["channel_order"])
        outputs = self._with_gates.predict_on_batch(images)
        if not self.preprocess["test_time_flip"]:
            return outputs
        mirrored = self._with_gates.predict_on_batch(images[:, :, ::-1])
        return [(one + other) / 2 for one, other in zip(outputs, mirrored, strict=True)]

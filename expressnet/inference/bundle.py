"""The model as it travels: a folder that a consumer can use with nothing else.

`model.keras`, `weights.safetensors`, `preprocess.json`, `classes.json`, `provenance.json`, `history.csv`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from safetensors.numpy import save_file

from expressnet.artifacts.provenance import CLASSES_FILE, MODEL_FILE, WEIGHTS_FILE, Preprocess, Provenance
from expressnet.model import expressnet, fft_conv
from expressnet.runtime import storage

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


class Embedded(NamedTuple):
    """What a model says about n images, and why.

    Attributes:
        prediction: see there.
        embedding: float32[n, dim], what its classifier gets: both mixtures side by side.
    """

    prediction: Prediction
    embedding: np.ndarray


class Ablated(NamedTuple):
    """What a model says about n images, with all experts and with each of them switched off.

    Attributes:
        prediction: with all experts.
        expression_without: int64[n, experts], the class that is predicted without an expert of that mixture.
        cnn_without: int64[n, experts], the same for the other mixture.
    """

    prediction: Prediction
    expression_without: np.ndarray
    cnn_without: np.ndarray


def save(
    folder: Path, model: keras.Model, *, classes: list[str], preprocess: Preprocess, provenance: Provenance
) -> None:
    """Writes all of a model but its history."""
    model.save(folder / MODEL_FILE)
    weights = {f"{place:04d}.{weight.path}": np.asarray(weight) for place, weight in enumerate(model.weights)}
    save_file(weights, folder / WEIGHTS_FILE)
    preprocess.write(folder)
    storage.write_json(folder / CLASSES_FILE, classes)
    provenance.write(folder)


def read_classes(folder: str | Path) -> list[str]:
    """Returns the classes of a model folder, in the order of the network's outputs."""
    return storage.read_json(Path(folder) / CLASSES_FILE)


def digest(folder: str | Path) -> str:
    """Returns the model digest: what it computes, not when it was saved (model.keras holds a time stamp)."""
    parts = {name: storage.file_sha256(Path(folder) / name) for name in (WEIGHTS_FILE, Preprocess.FILE, CLASSES_FILE)}
    return storage.json_digest(parts)


class Bundle:
    """A model read back from its folder."""

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        missing = [name for name in (MODEL_FILE, Preprocess.FILE, CLASSES_FILE) if not (folder / name).exists()]
        if missing:
            raise FileNotFoundError(f"{folder} is not a model folder: {', '.join(missing)} missing.")
        self.model = keras.models.load_model(folder / MODEL_FILE)
        self.classes = read_classes(folder)
        self.preprocess = Preprocess.read(folder)
        fft_conv.keep_spectra(self.model)
        self._with_gates = expressnet.with_gates(self.model)

    @property
    def top_k(self) -> dict[str, int]:
        """How many experts each mixture mixes for an image, by the prefix of its fields in `Prediction`."""
        layers = {"expression": expressnet.EXPRESSION_MOE, "cnn": expressnet.CNN_MOE}
        return {name: self.model.get_layer(layer).top_k for name, layer in layers.items()}

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Predicts uint8[n, size_px, size_px, 3] RGB crops; where the recipe says so, with their mirror images."""
        batches = [self._predict(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
        return Prediction(*(np.concatenate(outputs) for outputs in zip(*batches, strict=True)))

    def predict_embedded(self, pixels: np.ndarray) -> Embedded:
        """Predicts as `predict` does, and says what the classifier got; mirror images count half here too."""
        answer = expressnet.with_embedding(self.model).predict_on_batch
        starts = range(0, len(pixels), _BATCH)
        batches = [self._mirrored(answer, pixels[start : start + _BATCH]) for start in starts]
        *said, embedding = (np.concatenate(outputs) for outputs in zip(*batches, strict=True))
        return Embedded(Prediction(*said), embedding)

    def predict_ablated(self, pixels: np.ndarray) -> Ablated:
        """Predicts as `predict` does, and again with each expert switched off, which costs little more."""
        model = expressnet.with_mixture_inputs(self.model)
        parts = [self._ablated(model, pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
        outputs = [np.concatenate(each) for each in zip(*parts, strict=True)]
        return Ablated(Prediction(*outputs[:3]), *outputs[3:])

    def _ablated(self, model: keras.Model, pixels: np.ndarray) -> list[np.ndarray]:
        def answers(images: np.ndarray) -> list[np.ndarray]:
            *outputs, expression, cnn = model.predict_on_batch(images)
            for name, gates in zip((expressnet.EXPRESSION_MOE, expressnet.CNN_MOE), outputs[1:3], strict=True):
                each = [
                    expressnet.without_expert(self.model, expression, cnn, name, expert)
                    for expert in range(gates.shape[1])
                ]
                outputs.append(np.stack(each, axis=1))  # [batch, experts, classes]
            return outputs

        *outputs, expression, cnn = self._mirrored(answers, pixels)
        return [*outputs, expression.argmax(axis=2), cnn.argmax(axis=2)]

    def _predict(self, pixels: np.ndarray) -> list[np.ndarray]:
        return self._mirrored(self._with_gates.predict_on_batch, pixels)

    def _mirrored(self, answer: Callable[[np.ndarray], list[np.ndarray]], pixels: np.ndarray) -> list[np.ndarray]:
        images = as_input(pixels, self.preprocess.channel_order)
        outputs = answer(images)
        if not self.preprocess.test_time_flip:
            return outputs
        mirrored = answer(images[:, :, ::-1])
        return [(one + other) / 2 for one, other in zip(outputs, mirrored, strict=True)]


def as_input(pixels: np.ndarray, channel_order: str) -> np.ndarray:
    """Turns uint8[n, h, w, 3] RGB into the network's input, float32 in 0..1, channels in `channel_order`."""
    ordered = pixels[..., ::-1] if channel_order == "bgr" else pixels
    return ordered.astype(np.float32) / 255.0

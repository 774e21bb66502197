"""A model for those who serve it: pixels in, probabilities and class names out, with nothing else to know."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from expressnet.artifacts.stored import Stored
from expressnet.inference import bundle
from expressnet.model import fft_conv
from expressnet.runtime import console, storage

SAVED_MODEL, TFLITE_FILE = "saved_model", "model.tflite"
_TOLERANCE = 1e-4  # of probabilities, between the bundle and what was exported
_NUM_COMPARED = 8


class Export(Stored):
    """The facts of an exported model.

    Attributes:
        model_digest, size_px, classes: of the model.
        largest_difference: of a probability, between the model and what was exported.
    """

    FILE: ClassVar[str] = "export.json"

    model_digest: str
    size_px: int
    classes: list[str]
    largest_difference: float


def run(model_dir: str | Path, out_dir: str | Path) -> Export:
    """Writes a SavedModel and a TFLite model and compares them with the model.

    Its endpoint `serve` takes uint8 [n, size, size, 3], RGB crops as the stage crop cuts them, and holds the scaling,
    the order of the channels and the mirror image, if the model uses it. It returns `probabilities` float32
    [n, classes], `class` (the names of the largest) and `classes` (all names, in order). The TFLite model takes one
    such crop [1, size, size, 3] and returns the probabilities; it needs nothing but TFLite's own operations.

    Args:
        model_dir: see expressnet.inference.bundle.
        out_dir: a new folder.

    Returns:
        The report.

    Raises:
        FileExistsError: `out_dir` holds something already.
        FileNotFoundError: `model_dir` is no model.
        ValueError: what was written computes something else; nothing is left of it.
    """
    loaded = bundle.Bundle(model_dir)
    size_px = loaded.preprocess.size_px
    images = np.random.default_rng(0).integers(0, 256, (_NUM_COMPARED, size_px, size_px, 3), np.uint8)
    with storage.committed_dir(out_dir) as partial:
        expected = loaded.predict(images).probabilities
        _save(partial / SAVED_MODEL, loaded)
        server = tf.saved_model.load(str(partial / SAVED_MODEL))  # holds the variables, so it needs a name
        served = server.serve(tf.constant(images))["probabilities"].numpy()
        lite = _to_tflite(loaded)
        storage.write_bytes(partial / TFLITE_FILE, lite)
        difference = max(
            _difference("SavedModel", served, expected), _difference("TFLite model", run_tflite(lite, images), expected)
        )
        report = Export(
            model_digest=bundle.digest(model_dir),
            size_px=size_px,
            classes=loaded.classes,
            largest_difference=difference,
        )
        report.write(partial)
    console.say(f"SavedModel and TFLite in {out_dir}: probabilities within {difference:.1e} of the model's")
    return report


def _difference(name: str, probabilities: np.ndarray, expected: np.ndarray) -> float:
    difference = float(np.abs(probabilities - expected).max())
    if not difference <= _TOLERANCE:  # nor no number
        raise ValueError(
            f"The {name}'s probabilities differ by {difference:.1e} from the model's; at most {_TOLERANCE:.0e} is "
            "right."
        )
    return difference


def _probabilities(loaded: bundle.Bundle, images: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(images, tf.float32) / 255.0
    if loaded.preprocess.channel_order == "bgr":
        pixels = tf.reverse(pixels, [3])
    probabilities = loaded.model(pixels, training=False)
    if loaded.preprocess.test_time_flip:
        probabilities = (probabilities + loaded.model(tf.reverse(pixels, [2]), training=False)) / 2
    return probabilities


def _save(path: Path, loaded: bundle.Bundle) -> None:
    names = tf.constant(loaded.classes)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = _probabilities(loaded, images)
        best = tf.gather(names, tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "classes": names, "class": best}

    _write_endpoint(path, loaded, serve, num_images=None)


def _write_endpoint(
    path: Path, loaded: bundle.Bundle, serve: Callable[[tf.Tensor], Any], num_images: int | None
) -> None:
    size_px = loaded.preprocess.size_px
    archive = keras.export.ExportArchive()
    archive.track(loaded.model)
    archive.add_endpoint("serve", serve, [tf.TensorSpec([num_images, size_px, size_px, 3], tf.uint8, "images")])
    archive.write_out(str(path), verbose=False)


def _to_tflite(loaded: bundle.Bundle) -> bytes:
    # TFLite has no complex arithmetic; after this the model computes its large kernels directly.
    fft_conv.compute_directly(loaded.model)
    with tempfile.TemporaryDirectory() as folder:
        # A SavedModel, because the converter forgets the variables' values of a mere function.
        _write_endpoint(Path(folder), loaded, lambda images: _probabilities(loaded, images), num_images=1)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def run_tflite(data: bytes, images: np.ndarray) -> np.ndarray:
    """Returns a TFLite model's probabilities float32[n, classes] for uint8[n, size, size, 3] crops."""
    with warnings.catch_warnings():  # it tells of its successor, a package of its own
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for image in images:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(target["index"])[0])
    return np.stack(answers)

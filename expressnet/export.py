"""A model for those who serve it: pixels in, probabilities and class names out, with nothing else to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from expressnet import bundle, console, storage

SAVED_MODEL, INFO_FILE = "saved_model", "export.json"
_TOLERANCE = 1e-4  # of probabilities, between the bundle and what was exported
_NUM_COMPARED = 8


def run(model_dir: str | Path, out_dir: str | Path) -> dict[str, Any]:
    """Writes a SavedModel and compares it with the model.

    Its endpoint `serve` takes uint8 [n, size, size, 3], RGB crops as the stage crop cuts them, and holds the scaling,
    the order of the channels and the mirror image, if the model uses it. It returns `probabilities` float32
    [n, classes], `class` (the names of the largest) and `classes` (all names, in order).

    Args:
        model_dir: see expressnet.bundle.
        out_dir: a new folder.

    Returns:
        The report: the largest difference of a probability.

    Raises:
        FileExistsError: `out_dir` holds something already.
        FileNotFoundError: `model_dir` is no model.
        ValueError: the SavedModel computes something else; nothing is left of it.
    """
    loaded = bundle.Bundle(model_dir)
    size_px = loaded.preprocess["size_px"]
    images = np.random.default_rng(0).integers(0, 256, (_NUM_COMPARED, size_px, size_px, 3), np.uint8)
    with storage.committed_dir(out_dir) as partial:
        _save(partial / SAVED_MODEL, loaded)
        server = tf.saved_model.load(str(partial / SAVED_MODEL))  # holds the variables, so it needs a name
        served = server.serve(tf.constant(images))["probabilities"].numpy()
        difference = float(np.abs(loaded.predict(images).probabilities - served).max())
        if not difference <= _TOLERANCE:  # nor no number
            raise ValueError(
                f"The SavedModel's probabilities differ by {difference:.1e} from the model's; at most "
                f"{_TOLERANCE:.0e} is right."
            )
        report = {
            "model_digest": bundle.digest(model_dir), "size_px": size_px, "classes": loaded.classes,
            "largest_difference": difference,
        }  # fmt: skip
        storage.write_json(partial / INFO_FILE, report)
    console.say(f"SavedModel in {out_dir}: probabilities within {difference:.1e} of the model's")
    return report


def _save(path: Path, loaded: bundle.Bundle) -> None:
    names, preprocess = tf.constant(loaded.classes), loaded.preprocess

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.cast(images, tf.float32) / 255.0
        if preprocess["channel_order"] == "bgr":
            pixels = tf.reverse(pixels, [3])
        probabilities = loaded.model(pixels, training=False)
        if preprocess["test_time_flip"]:
            probabilities = (probabilities + loaded.model(tf.reverse(pixels, [2]), training=False)) / 2
        best = tf.gather(names, tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "classes": names, "class": best}

    size_px = preprocess["size_px"]
    archive = keras.export.ExportArchive()
    archive.track(loaded.model)
    archive.add_endpoint("serve", serve, [tf.TensorSpec([None, size_px, size_px, 3], tf.uint8, "images")])
    archive.write_out(str(path), verbose=False)

"""Times how the network is fed, at 224 px, in turns with its peers: `python -m benchmarks.bench_input`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import tensorflow as tf

from benchmarks.bench_crop import BATCH, SIZE_PX, Authors, seconds, told, write_photos
from expressnet import config, images, optimizers
from expressnet.batches import Data
from expressnet.model import expressnet, presets

NUM_IMAGES, NUM_AUTHORS = 2048, 192
ROUNDS = 5
_STEPS = 40


def _data(pixels: np.ndarray) -> Data:
    targets = np.eye(7, dtype=np.float32)[np.arange(len(pixels)) % 7]
    return Data(list("abcdefg"), "val", (pixels, targets), (pixels[:1], np.zeros(1, np.int64)), [])


def _consume(batches: tf.data.Dataset) -> None:
    for _ in batches:
        pass


def _memmap(path: Path, count: int) -> None:
    """Gathers random rows of a plain memmap and scales them."""
    pixels = np.memmap(path, np.uint8, "r", shape=(count, SIZE_PX, SIZE_PX, 3))
    order = np.random.default_rng(0).permutation(count)
    for start in range(0, count, BATCH):
        pixels[order[start : start + BATCH]].astype(np.float32) / np.float32(255)


def _decoded(raw: tf.data.Dataset) -> tf.data.Dataset:
    decoded = raw.map(lambda data: tf.cast(tf.io.decode_png(data, 3), tf.float32) / 255, tf.data.AUTOTUNE)
    return decoded.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def _ways(folder: Path) -> dict[str, tuple[Callable[[], None], int]]:
    """Returns ours and its peers by name: an epoch and how many images it has."""
    photos = write_photos(folder / "photos", NUM_IMAGES)
    squares = [cv2.resize(cv2.imread(str(path)), (SIZE_PX, SIZE_PX))[..., ::-1] for path in photos]
    pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=(NUM_IMAGES, SIZE_PX, SIZE_PX, 3))
    pixels[:] = squares
    pixels.flush()
    paths = []
    with tf.io.TFRecordWriter(str(folder / "records")) as writer:
        for number, square in enumerate(squares):
            paths.append(str(folder / f"{number}.png"))
            data = images.encode_png(np.ascontiguousarray(square))
            Path(paths[-1]).write_bytes(data)
            writer.write(data)
    settings = config.recipe("paper", seed=1)
    authors, data = Authors(), _data(pixels)
    files = tf.data.Dataset.from_tensor_slices(paths).shuffle(NUM_IMAGES, seed=0)
    return {
        "ours": (lambda: _consume(data.batches(settings, 0)), NUM_IMAGES),
        "plain memmap": (lambda: _memmap(folder / "pixels", NUM_IMAGES), NUM_IMAGES),
        "tf.data over PNG files": (
            lambda: _consume(_decoded(files.map(tf.io.read_file, tf.data.AUTOTUNE))), NUM_IMAGES
        ),
        "TFRecord of PNG": (
            lambda: _consume(_decoded(tf.data.TFRecordDataset(str(folder / "records")).shuffle(512))), NUM_IMAGES
        ),
        "the authors' generator": (lambda: authors.epoch(photos[:NUM_AUTHORS]), NUM_AUTHORS),
    }  # fmt: skip


def _waiting() -> float:
    """Returns the share of a training step that waits for its input: against one batch again and again."""
    settings = config.recipe("small", seed=1)
    side = presets.SMALL.size_px
    pixels = np.random.default_rng(0).integers(0, 256, (_STEPS * settings.batch_size, side, side, 3), np.uint8)
    data = _data(pixels)
    model = expressnet.build(presets.SMALL, 7, 0)
    model.compile(optimizers.adam(settings, _STEPS), "categorical_crossentropy", jit_compile=False)
    fed = data.batches(settings, 0)
    same = fed.take(1).cache().repeat(_STEPS)
    for batches in (fed, same):
        model.fit(batches, verbose=0, shuffle=False)
    times = [(seconds(lambda: model.fit(fed, verbose=0, shuffle=False)),
              seconds(lambda: model.fit(same, verbose=0, shuffle=False))) for _ in range(ROUNDS)]  # fmt: skip
    with_input, without = (median(found) for found in zip(*times, strict=True))
    return 1 - without / with_input


def main() -> int:
    """Prints all ratios; returns the exit code."""
    with tempfile.TemporaryDirectory() as name:
        ways = _ways(Path(name))
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, (epoch, count) in ways.items():
                rates[way].append(count / seconds(epoch))
    found = {way: median(each) for way, each in rates.items()}
    print("images/s: " + ", ".join(f"{way} {rate:,.0f}" for way, rate in found.items()))
    best = max(found["tf.data over PNG files"], found["TFRecord of PNG"])
    met = [
        told("ours against the better of tf.data over files and TFRecord, x", found["ours"] / best, 0.9),
        told("ours against a plain memmap, x", found["ours"] / found["plain memmap"], 0.8),
        told("ours against the authors' generator, x", found["ours"] / found["the authors' generator"], 20),
        told("share of a step of `small` that waits for its input", _waiting(), 0.02, at_most=True),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

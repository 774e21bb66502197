"""Times how the network is fed, at 224 px, in turns with its peers: `python -m benchmarks.bench_input`.

All read the same crops, PNG, in random order, and scale them to 0..1. One peer is grain over array_record (dependency
group `bench`).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import grain
import numpy as np
import pandas as pd
import tensorflow as tf
from array_record.python import array_record_module

from benchmarks.bench_crop import BATCH, SIZE_PX, Authors, seconds, told, write_photos
from expressnet.config.train import recipe
from expressnet.data import shards
from expressnet.faces.crop_pixels import Stored
from expressnet.imaging import codec
from expressnet.model import expressnet, presets
from expressnet.runtime import storage
from expressnet.training import optimizers
from expressnet.training.batches import Crops, Data
from pipelines.local import choose_threads

NUM_IMAGES, NUM_AUTHORS = 2048, 192
# Cached, an epoch of these few would take a tenth of a second, a fifth of it to build the pipeline.
NUM_CACHED = 4 * NUM_IMAGES
ROUNDS = 5  # the fastest counts: in some, the system keeps both threads on one of two processors, with or without input
_STEPS = 40


def _data(crops: Crops) -> Data:
    targets = np.eye(7, dtype=np.float32)[np.arange(len(crops)) % 7]
    return Data(list("abcdefg"), "val", (crops, targets), (np.empty((0, *crops.shape[1:])), np.empty(0, np.int64)), [])


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


def _stored(pngs: list[bytes], folder: Path) -> Stored:
    """Returns crops in tar shards, as the stage crop leaves them."""
    by_key = {storage.bytes_sha256(png): png for png in pngs}
    index = shards.fill(
        folder / shards.FOLDER,
        by_key.keys(),
        lambda keys: (shards.Payload(key, "png", by_key[key]) for key in keys),
        bytes_each=sum(map(len, pngs)) / len(pngs),
    )
    rows = pd.DataFrame({"sha256": list(by_key)}).merge(index, on="sha256")
    return Stored(str(folder), rows, SIZE_PX, presets.PAPER.channel_order)


def _grain(path: Path) -> None:
    def decode(data: bytes) -> np.ndarray:
        pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return pixels.astype(np.float32) / np.float32(255)

    records = grain.MapDataset.source(grain.sources.ArrayRecordDataSource(str(path)))
    reading = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4 * BATCH)
    for _ in records.shuffle(seed=0).map(decode).to_iter_dataset(reading).batch(BATCH):
        pass


def _ways(folder: Path) -> dict[str, tuple[Callable[[], None], int]]:
    """Returns ours and its peers by name: an epoch and how many images it has."""
    photos = write_photos(folder / "photos", NUM_IMAGES)
    squares = [cv2.resize(cv2.imread(str(path)), (SIZE_PX, SIZE_PX))[..., ::-1] for path in photos]
    pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=(NUM_CACHED, SIZE_PX, SIZE_PX, 3))
    pixels.reshape(-1, NUM_IMAGES, *pixels.shape[1:])[:] = squares
    pixels.flush()
    pngs = [codec.encode_png(np.ascontiguousarray(square)) for square in squares]
    paths = [str(folder / f"{number}.png") for number in range(NUM_IMAGES)]
    array_records = array_record_module.ArrayRecordWriter(str(folder / "array_records"), "group_size:1")
    with tf.io.TFRecordWriter(str(folder / "records")) as writer:
        for path, png in zip(paths, pngs, strict=True):
            Path(path).write_bytes(png)
            writer.write(png)
            array_records.write(png)
    array_records.close()
    settings = recipe("paper", seed=1)
    authors, cached, stored = Authors(), _data(pixels), _data(_stored(pngs, folder))
    files = tf.data.Dataset.from_tensor_slices(paths).shuffle(NUM_IMAGES, seed=0)
    return {
        "ours": (lambda: _consume(stored.batches(settings, 0)), NUM_IMAGES),
        "ours, cached": (lambda: _consume(cached.batches(settings, 0)), NUM_CACHED),
        "plain memmap": (lambda: _memmap(folder / "pixels", NUM_CACHED), NUM_CACHED),
        "tf.data over PNG files": (
            lambda: _consume(_decoded(files.map(tf.io.read_file, tf.data.AUTOTUNE))),
            NUM_IMAGES,
        ),
        "TFRecord of PNG": (
            lambda: _consume(_decoded(tf.data.TFRecordDataset(str(folder / "records")).shuffle(512))),
            NUM_IMAGES,
        ),
        "grain over array_record of PNG": (lambda: _grain(folder / "array_records"), NUM_IMAGES),
        "the authors' generator": (lambda: authors.epoch(photos[:NUM_AUTHORS]), NUM_AUTHORS),
    }


def _waiting() -> float:
    """Returns the share of a training step that waits for its input: against one batch again and again."""
    settings = recipe("small", seed=1)
    side = presets.SMALL.size_px
    pixels = np.random.default_rng(0).integers(0, 256, (_STEPS * settings.batch_size, side, side, 3), np.uint8)
    data = _data(pixels)
    model = expressnet.build(presets.SMALL, 7, 0)
    model.compile(optimizers.adam(settings, _STEPS), "categorical_crossentropy", jit_compile=False)
    fed = data.batches(settings, 0)
    same = fed.take(1).cache().repeat(_STEPS)
    for batches in (fed, same):
        model.fit(batches, verbose=0, shuffle=False)
    times = [
        (
            seconds(lambda: model.fit(fed, verbose=0, shuffle=False)),
            seconds(lambda: model.fit(same, verbose=0, shuffle=False)),
        )
        for _ in range(ROUNDS)
    ]
    with_input, without = (min(found) for found in zip(*times, strict=True))
    return 1 - without / with_input


def main() -> int:
    """Prints all ratios; returns the exit code."""
    choose_threads()  # as in a run; with TensorFlow's own choice some steps take twice as long as others
    with tempfile.TemporaryDirectory() as name:
        ways = _ways(Path(name))
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, (epoch, count) in ways.items():
                rates[way].append(count / seconds(epoch))
    found = {way: max(each) for way, each in rates.items()}
    print("images/s: " + ", ".join(f"{way} {rate:,.0f}" for way, rate in found.items()))
    best = max(rate for way, rate in found.items() if "PNG" in way)
    met = [
        told("ours against the best of tf.data over files, TFRecord and grain, x", found["ours"] / best, 0.9),
        told("ours, cached, against a plain memmap, x", found["ours, cached"] / found["plain memmap"], 0.8),
        told(
            "ours, cached, against the authors' generator, x",
            found["ours, cached"] / found["the authors' generator"],
            20,
        ),
        told("share of a step of `small` that waits for its input", _waiting(), 0.02, at_most=True),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

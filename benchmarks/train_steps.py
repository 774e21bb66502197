"""Timed training steps for `bench_train`, in a process of its own: `python -m benchmarks.train_steps --help`.

TF_ENABLE_ONEDNN_OPTS is read when TensorFlow starts, so that each setting needs a process.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.profiler import model_analyzer, option_builder

from benchmarks import steps
from expressnet.model import batchnorm, expressnet, fft_conv, presets

# Side of the map, channels in and out, side of the kernel: the first extractor's layers at 224 px, and small kernels.
CONVOLUTIONS = {
    75: (224, 3, 8),
    50: (112, 8, 16),
    25: (56, 16, 32),
    15: (28, 32, 64),
    9: (14, 64, 128),
    7: (112, 16, 32),
    3: (7, 128, 256),
}


def _convolution(kernel: int, way: str, batch: int, training: bool) -> Callable[[], Any]:
    side, channels, filters = CONVOLUTIONS[kernel]
    chance = np.random.default_rng(0)
    images = tf.constant(chance.normal(size=(batch, side, side, channels)), tf.float32)
    weights = tf.Variable(chance.normal(size=(kernel, kernel, channels, filters)) / kernel**2, dtype=tf.float32)
    if fft_conv.takes_spectra(way, kernel):
        compute = functools.partial(fft_conv.spectral_conv2d, conv_backend=way)
    else:
        compute = lambda x, w: tf.nn.conv2d(x, w, 1, "SAME")  # noqa: E731
    if not training:
        return tf.function(lambda: compute(images, weights))

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(compute(images, weights) ** 2)
        # Of the first layer nobody wants the gradient of the images.
        return tape.gradient(loss, [weights] if channels == 3 else [weights, images])

    return step


def _network(way: str, batch: int, training: bool, precision: str) -> Callable[[], Any]:
    preset = dataclasses.replace(presets.PAPER, conv_backend="direct" if way == "direct" else "auto")
    if way == "direct":  # the peer is of Keras' own layers
        batchnorm.BatchNorm.call = keras.layers.BatchNormalization.call
    model = expressnet.build(preset, 7, 0, precision)
    chance = np.random.default_rng(0)
    images = tf.constant(chance.uniform(size=(batch, 224, 224, 3)), tf.float32)
    if not training:
        if way == "kept":
            fft_conv.keep_spectra(model)
        return tf.function(lambda: model(images, training=False))
    targets = tf.one_hot(chance.integers(0, 7, batch), 7)
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", jit_compile=False)
    return lambda: model.train_on_batch(images, targets)


def _operations(batch: int) -> float:
    """Returns the floating-point operations of a training step but for those of FFTs, which TensorFlow can't count."""
    model = expressnet.build(presets.PAPER, 7, 0)

    @tf.function
    def step(images: tf.Tensor, targets: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = keras.losses.categorical_crossentropy(targets, model(images, training=True))
        return tape.gradient(loss, model.trainable_variables)

    shapes = [tf.TensorSpec([batch, 224, 224, 3]), tf.TensorSpec([batch, 7])]
    options = option_builder.ProfileOptionBuilder(option_builder.ProfileOptionBuilder.float_operation())
    found = model_analyzer.profile(
        step.get_concrete_function(*shapes).graph, options=options.with_empty_output().build()
    )
    return found.total_float_ops


def _matmul() -> Callable[[], Any]:
    """Returns a product of 2 * 4096^3 floating-point operations, for the machine's peak."""
    matrix = tf.constant(np.random.default_rng(0).normal(size=(4096, 4096)), tf.float32)
    return tf.function(lambda: tf.linalg.matmul(matrix, matrix))


def main() -> None:
    """Prints the seconds of the fastest call, or the operations, and the peak memory, GiB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("convolution", "network", "matmul", "operations"))
    parser.add_argument("--way", default="direct", choices=(*presets.CONV_BACKENDS, "kept"))
    parser.add_argument("--kernel", type=int, choices=CONVOLUTIONS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--infer", action="store_true", help="forward only")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seconds", type=float, default=3.0, help="to repeat, once at least")
    options = parser.parse_args()
    if options.what == "operations":
        steps.tell(_operations(options.batch), steps.peak_gib())
        return
    if options.what == "matmul":
        call = _matmul()
    elif options.what == "network":
        call = _network(options.way, options.batch, not options.infer, options.precision)
    else:
        call = _convolution(options.kernel, options.way, options.batch, not options.infer)
    call()  # traces
    times, begun = [], time.monotonic()
    while not times or time.monotonic() - begun < options.seconds:
        started = time.monotonic()
        tf.nest.map_structure(np.asarray, call())
        times.append(time.monotonic() - started)
    steps.tell(min(times), steps.peak_gib())


if __name__ == "__main__":
    main()

"""The two convolutional feature extractors, CNNFE1 (large kernels) and CNNFE2 (small ones)."""

from collections.abc import Iterator
from typing import Any

import keras

from expressnet.model import batchnorm, fft_conv, presets


def build_cnnfe1(preset: presets.Preset, seeds: Iterator[int]) -> keras.Model:
    """Builds the extractor that keeps where things are: Flatten -> Dense -> (BatchNorm) -> ReLU -> Dropout at its end.

    Args:
        preset: the numbers.
        seeds: one is drawn for every layer with initial weights or dropout.

    Returns:
        a model named "cnnfe1", float[batch, size, size, 3] -> float[batch, cnnfe1_units].
    """
    images = _image_input(preset)
    maps = _blocks(images, preset.cnnfe1_filters, preset.cnnfe1_kernels, preset, seeds)
    features = keras.layers.Flatten(name="flatten")(maps)
    features = keras.layers.Dense(
        preset.cnnfe1_units,
        activation=None if preset.cnnfe1_batchnorm else "relu",
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        name="dense",
    )(features)
    if preset.cnnfe1_batchnorm:
        features = keras.layers.ReLU(name="relu")(_batchnorm(preset, "bn")(features))
    features = keras.layers.Dropout(preset.feature_dropout, seed=next(seeds), name="dropout")(features)
    return keras.Model(images, features, name="cnnfe1")


def build_cnnfe2(preset: presets.Preset, seeds: Iterator[int]) -> keras.Model:
    """Builds the extractor that forgets where things are: global average pooling at its end.

    Args:
        preset: the numbers.
        seeds: one is drawn for every layer with initial weights or dropout.

    Returns:
        a model named "cnnfe2", float[batch, size, size, 3] -> float[batch, cnnfe2_filters[-1]].
    """
    images = _image_input(preset)
    maps = _blocks(images, preset.cnnfe2_filters, preset.cnnfe2_kernels, preset, seeds)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D(name="pool")(maps), name="cnnfe2")


def _image_input(preset: presets.Preset) -> Any:
    return keras.Input((preset.size_px, preset.size_px, 3), name="images")


def _blocks(
    maps: Any,
    filters: tuple[int, ...],
    kernels: tuple[int, ...],
    preset: presets.Preset,
    seeds: Iterator[int],
) -> Any:
    """Chains Conv ReLU -> Dropout -> BatchNorm -> MaxPool 2x2; the last block does not pool.

    Dropout comes before BatchNorm, as the authors have it.
    """
    for index, (channels, side) in enumerate(zip(filters, kernels, strict=True), start=1):
        maps = fft_conv.FFTConv2D(
            channels,
            side,
            conv_backend=preset.conv_backend,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            name=f"conv{index}",
        )(maps)
        maps = keras.layers.Dropout(preset.conv_dropout, seed=next(seeds), name=f"dropout{index}")(maps)
        maps = _batchnorm(preset, f"bn{index}")(maps)
        if index < len(filters):
            maps = keras.layers.MaxPooling2D(2, name=f"pool{index}")(maps)
    return maps


def _batchnorm(preset: presets.Preset, name: str) -> batchnorm.BatchNorm:
    return batchnorm.BatchNorm(
        momentum=preset.batchnorm_momentum, synchronized=preset.batchnorm_synchronized, name=name
    )

"""The residual backbone; with the `paper` preset it is the ResNet-50 of VGGFace2 (Caffe variant).

It differs from `keras.applications.ResNet50`: no convolution has a bias, a stage's stride sits on its
first 1x1 convolution, BatchNorm has Keras' default epsilon, and the stem's pooling is not padded.
Layers bear the names of the published weight file with "/" replaced by "_", which Keras 3 requires:
`conv2_1_1x1_reduce/bn` there is `conv2_1_1x1_reduce_bn` here.
"""

from collections.abc import Iterator
from typing import Any

import keras

from expressnet.model import batchnorm, presets

BOTTLENECK_EXPANSION = 4


def build_backbone(preset: presets.Preset, seeds: Iterator[int]) -> keras.Model:
    """Builds stem, residual stages, global average pooling and dropout.

    Args:
        preset: the numbers.
        seeds: one is drawn for every convolution and for the dropout.

    Returns:
        a model named "backbone", float[batch, size, size, 3] -> float[batch, channels].
    """
    images = keras.Input((preset.size_px, preset.size_px, 3), name="images")
    conv = _ConvBatchNorm(preset, seeds)
    stem_name = f"conv1_{preset.stem_kernel}x{preset.stem_kernel}_s{preset.stem_stride}"
    maps = conv(images, preset.stem_filters, preset.stem_kernel, stem_name, stride=preset.stem_stride)
    maps = keras.layers.ReLU(name="conv1_relu")(maps)
    if preset.stem_pool:
        maps = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(maps)
    residual_block = _bottleneck_block if preset.bottleneck else _basic_block
    # Stages count from 2, the stem being conv1, as in the published weight file.
    for stage, (width, blocks) in enumerate(zip(preset.stage_filters, preset.stage_blocks, strict=True), 2):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 2 else 1
            maps = residual_block(conv, maps, width, stride, f"conv{stage}_{block}", project=block == 1)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    features = keras.layers.Dropout(preset.feature_dropout, seed=next(seeds), name="dropout")(features)
    return keras.Model(images, features, name="backbone")


class _ConvBatchNorm:
    """Adds a convolution without bias, named `name`, and its BatchNorm, named `name`_bn."""

    def __init__(self, preset: presets.Preset, seeds: Iterator[int]) -> None:
        self._preset = preset
        self._seeds = seeds

    def __call__(self, maps: Any, filters: int, kernel: int, name: str, *, stride: int = 1) -> Any:
        maps = keras.layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(self._seeds)),
            name=name,
        )(maps)
        return batchnorm.BatchNorm(
            momentum=self._preset.batchnorm_momentum,
            synchronized=self._preset.batchnorm_synchronized,
            name=f"{name}_bn",
        )(maps)


def _bottleneck_block(conv: _ConvBatchNorm, maps: Any, width: int, stride: int, name: str, *, project: bool) -> Any:
    """Adds 1x1 reduce, 3x3, 1x1 increase to the shortcut."""
    channels = BOTTLENECK_EXPANSION * width
    residual = conv(maps, width, 1, f"{name}_1x1_reduce", stride=stride)
    residual = keras.layers.ReLU(name=f"{name}_1x1_reduce_relu")(residual)
    residual = conv(residual, width, 3, f"{name}_3x3")
    residual = keras.layers.ReLU(name=f"{name}_3x3_relu")(residual)
    residual = conv(residual, channels, 1, f"{name}_1x1_increase")
    shortcut = conv(maps, channels, 1, f"{name}_1x1_proj", stride=stride) if project else maps
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=name)([residual, shortcut]))


def _basic_block(conv: _ConvBatchNorm, maps: Any, width: int, stride: int, name: str, *, project: bool) -> Any:
    """Adds two 3x3 convolutions to the shortcut."""
    residual = conv(maps, width, 3, f"{name}_3x3_first", stride=stride)
    residual = keras.layers.ReLU(name=f"{name}_3x3_first_relu")(residual)
    residual = conv(residual, width, 3, f"{name}_3x3_second")
    shortcut = conv(maps, width, 1, f"{name}_1x1_proj", stride=stride) if project else maps
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=name)([residual, shortcut]))

import itertools

import keras
import pytest

from expressnet.model import presets, resnet50


@pytest.fixture(scope="module")
def resnet():
    return resnet50.build_backbone(presets.PAPER, itertools.count())


def _convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def test_it_has_the_arrays_of_the_published_weight_file(resnet):
    batch_norms = [layer for layer in resnet.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert (len(_convolutions(resnet)), len(batch_norms), len(resnet.weights)) == (53, 53, 265)


def test_layers_bear_the_names_of_the_published_weight_file(resnet):
    names = {layer.name for layer in _convolutions(resnet)}
    expected = {"conv1_7x7_s2"} | {f"conv{stage}_1_1x1_proj" for stage in (2, 3, 4, 5)}
    for stage, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        for block, part in itertools.product(range(1, blocks + 1), ("1x1_reduce", "3x3", "1x1_increase")):
            expected.add(f"conv{stage}_{block}_{part}")
    assert names == expected
    assert all(resnet.get_layer(f"{name}_bn") for name in names)


def test_no_convolution_has_a_bias(resnet):
    assert not any(layer.use_bias for layer in _convolutions(resnet))


def test_the_first_1x1_of_a_stage_carries_its_stride(resnet):
    strided = {layer.name for layer in _convolutions(resnet) if layer.strides == (2, 2)}
    assert strided == {"conv1_7x7_s2"} | {
        f"conv{stage}_1_1x1_{part}" for stage in (3, 4, 5) for part in ("reduce", "proj")
    }


def test_stage_maps_are_those_of_unpadded_pooling(resnet):
    sides = [resnet.get_layer(name).output.shape[1] for name in ("conv2_3", "conv3_4", "conv4_6", "conv5_3")]
    assert sides == [55, 28, 14, 7]
    assert resnet.output_shape == (None, 2048)


def test_batch_norm_has_the_defaults_of_keras(resnet):
    layer = resnet.get_layer("conv5_3_3x3_bn")
    assert (layer.momentum, layer.epsilon) == (0.99, 1e-3)


def test_basic_blocks_halve_the_map_from_the_second_stage_on():
    backbone = resnet50.build_backbone(presets.TINY, itertools.count())
    shapes = [backbone.get_layer(name).output.shape for name in ("pool1", "conv2_1", "conv3_1")]
    assert shapes == [(None, 7, 7, 8), (None, 7, 7, 8), (None, 4, 4, 16)]

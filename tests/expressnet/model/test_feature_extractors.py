import itertools

import pytest

from expressnet.model import feature_extractors, presets


@pytest.fixture(scope="module")
def cnnfe1():
    return feature_extractors.build_cnnfe1(presets.PAPER, itertools.count())


@pytest.fixture(scope="module")
def cnnfe2():
    return feature_extractors.build_cnnfe2(presets.PAPER, itertools.count())


def _convolutions(model):
    return [layer for layer in model.layers if layer.name.startswith("conv")]


def test_cnnfe1_convolutions_have_the_published_parameters(cnnfe1):
    counts = [layer.count_params() for layer in _convolutions(cnnfe1)]
    assert counts == [135_008, 320_016, 320_032, 460_864, 663_680, 295_168]
    assert cnnfe1.get_layer("dense").count_params() == 6_423_040


def test_cnnfe2_convolutions_have_the_published_parameters(cnnfe2):
    counts = [layer.count_params() for layer in _convolutions(cnnfe2)]
    assert counts == [10_816, 25_120, 51_264, 73_856, 295_168]


def test_feature_vectors_have_the_published_widths(cnnfe1, cnnfe2):
    assert (cnnfe1.output_shape, cnnfe2.output_shape) == ((None, 512), (None, 256))


def test_only_the_large_kernels_go_through_the_fft(cnnfe1, cnnfe2):
    assert [layer.uses_spectra for layer in _convolutions(cnnfe1)] == [True, True, True, True, False, False]
    assert [layer.uses_spectra for layer in _convolutions(cnnfe2)] == [True, False, False, False, False]


def test_dropout_comes_before_batch_norm_and_the_last_block_does_not_pool(cnnfe2):
    names = [layer.name for layer in cnnfe2.layers]
    assert names[1:5] == ["conv1", "dropout1", "bn1", "pool1"]
    assert names[-4:] == ["conv5", "dropout5", "bn5", "pool"]

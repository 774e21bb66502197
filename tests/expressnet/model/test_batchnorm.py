import keras
import numpy as np
import pytest
import tensorflow as tf

from expressnet.model.batchnorm import BatchNorm

OPTIONS = {"momentum": 0.9, "gamma_initializer": "ones", "beta_initializer": keras.initializers.Constant(0.3)}


def _maps(shape, dtype="float32"):
    return tf.constant(np.random.default_rng(0).normal(2, 3, shape), dtype)


def _trained(layer, maps):
    """Returns the output, the gradients of maps, scale and offset, and the running statistics after two steps."""
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            output = layer(maps, training=True)
            weights = tf.reshape(tf.sin(tf.range(tf.size(output), dtype="float32")), tf.shape(output))
            loss = tf.reduce_sum(tf.cast(output, "float32") * weights)
    gradients = tape.gradient(loss, [maps, layer.gamma.value, layer.beta.value])
    return [output, *gradients, layer.moving_mean.value, layer.moving_variance.value]


@pytest.mark.parametrize("shape", [(4, 5, 7, 3), (1, 2, 1, 6), (8, 6)])
def test_training_is_that_of_keras(shape):
    maps = _maps(shape)
    expected = _trained(keras.layers.BatchNormalization(**OPTIONS), maps)
    for ours, reference in zip(_trained(BatchNorm(**OPTIONS), maps), expected, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 0.03), ("mixed_float16", 0.004)])
def test_sixteen_bits_are_normalised_with_statistics_of_32(policy, tolerance):
    maps = _maps((4, 5, 7, 3), policy.removeprefix("mixed_"))
    layers = [kind(dtype=policy, **OPTIONS) for kind in (BatchNorm, keras.layers.BatchNormalization)]
    ours, reference = (_trained(layer, maps) for layer in layers)
    assert ours[0].dtype == reference[0].dtype == maps.dtype
    np.testing.assert_allclose(tf.cast(ours[0], "float32"), tf.cast(reference[0], "float32"), atol=tolerance)
    for mine, theirs in zip(ours[-2:], reference[-2:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_running_statistics_serve_otherwise():
    layer, reference = BatchNorm(**OPTIONS), keras.layers.BatchNormalization(**OPTIONS)
    for one in (layer, reference):
        _trained(one, _maps((4, 5, 7, 3)))
    np.testing.assert_allclose(layer(_maps((2, 5, 7, 3))), reference(_maps((2, 5, 7, 3))), rtol=1e-4, atol=1e-5)


def test_one_operation_does_it_on_one_device():
    step = tf.function(lambda maps: layer(maps, training=True))
    layer = BatchNorm()
    layer.build((None, 5, 7, 3))
    operations = [node.type for node in step.get_concrete_function(tf.TensorSpec([4, 5, 7, 3])).graph.get_operations()]
    assert operations.count("FusedBatchNormV3") == 1


def test_a_frozen_layer_keeps_its_statistics():
    layer = BatchNorm(trainable=False)
    layer(_maps((4, 5, 7, 3)), training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))

"""Every part beside a twin of plain Keras layers, written from the paper's table, with the same weights."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from expressnet.model import expressnet, presets

# The published layers and kernels on smaller images, because stock convolutions of 75 x 75 take minutes to train.
SMALLER = dataclasses.replace(presets.PAPER, size_px=64, conv_dropout=0.0, feature_dropout=0.0, conv_backend="fft")
FILTERS1, KERNELS1 = (8, 16, 32, 64, 128, 256), (75, 50, 25, 15, 9, 3)
FILTERS2, KERNELS2 = (16, 32, 64, 128, 256), (15, 7, 5, 3, 3)


def _block(maps, filters, kernel, pool):
    maps = layers.Conv2D(filters, kernel, padding="same", activation="relu")(maps)
    maps = layers.BatchNormalization()(layers.Dropout(0.0)(maps))
    return layers.MaxPooling2D()(maps) if pool else maps


def _extractor(images, filters, kernels):
    for number, (count, kernel) in enumerate(zip(filters, kernels, strict=True), 1):
        images = _block(images, count, kernel, pool=number < len(filters))
    return images


def _cnnfe1(side):
    images = keras.Input((side, side, 3))
    maps = layers.Flatten()(_extractor(images, FILTERS1, KERNELS1))
    return keras.Model(images, layers.Dense(512, activation="relu")(maps))


def _cnnfe2(side):
    images = keras.Input((side, side, 3))
    return keras.Model(images, layers.GlobalAveragePooling2D()(_extractor(images, FILTERS2, KERNELS2)))


def _unit(maps, filters, kernel, name, strides=1):
    maps = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(maps)
    return layers.BatchNormalization(name=f"{name}_bn")(maps)


def _backbone(side):
    images = keras.Input((side, side, 3))
    maps = layers.MaxPooling2D(3, 2)(layers.ReLU()(_unit(images, 64, 7, "conv1_7x7_s2", 2)))
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        for block in range(1, blocks + 1):
            name, strides = f"conv{stage}_{block}", 2 if stage > 2 and block == 1 else 1
            inner = layers.ReLU()(_unit(maps, width, 1, f"{name}_1x1_reduce", strides))
            inner = layers.ReLU()(_unit(inner, width, 3, f"{name}_3x3"))
            inner = _unit(inner, 4 * width, 1, f"{name}_1x1_increase")
            if block == 1:
                maps = _unit(maps, 4 * width, 1, f"{name}_1x1_proj", strides)
            maps = layers.ReLU()(layers.Add()([maps, inner]))
    return keras.Model(images, layers.GlobalAveragePooling2D()(maps))


class _Mixture(keras.Model):
    """Four Dense experts, of which the two with the largest gates are summed with those gates as weights."""

    def __init__(self, width):
        super().__init__()
        self.experts = [layers.Dense(512, activation="relu") for _ in range(4)]
        self.gate = layers.Dense(4, activation="softmax")
        self(np.zeros((1, width), np.float32))

    def call(self, features):
        gates = self.gate(features)
        second = tf.sort(gates, axis=1)[:, -2:-1]
        answers = tf.stack([expert(features) for expert in self.experts], axis=1)
        return tf.reduce_sum(tf.where(gates >= second, gates, 0.0)[:, :, None] * answers, axis=1)

    def take(self, layer):
        for number, expert in enumerate(self.experts):
            expert.set_weights([layer.expert_kernel[number], layer.expert_bias[number]])
        self.gate.set_weights([layer.gate_kernel, layer.gate_bias])

    def gradients_like(self, gradients):
        """Returns gradients in the order of the layer of ours: kernels and biases stacked, gate."""
        kernels, biases = zip(*(gradients[2 * place : 2 * place + 2] for place in range(4)), strict=True)
        return [tf.stack(kernels), tf.stack(biases), *gradients[8:]]


PARTS = {"cnnfe1": _cnnfe1, "cnnfe2": _cnnfe2, "backbone": _backbone}


@pytest.fixture(scope="module")
def ours():
    return expressnet.build(SMALLER, num_classes=7, seed=0)


def _difference(mine, other):
    """Largest difference, relative to the largest value."""
    mine, other = np.asarray(mine), np.asarray(other)
    return np.abs(mine - other).max() / max(np.abs(other).max(), 1e-30)


def _by_name(model):
    return {layer.name: layer for layer in model.layers if layer.weights}


def _same_weights(twin, part):
    if "conv1_7x7_s2" in _by_name(twin):
        for name, layer in _by_name(part).items():
            twin.get_layer(name).set_weights(layer.get_weights())
    else:
        twin.set_weights(part.get_weights())


def _gradients(model, inputs, upstream):
    with tf.GradientTape() as tape:
        # With the statistics of a batch, rounding grows a hundredfold on the way, in two stock networks as well.
        outputs = model(inputs, training=False)
        outputs = outputs[0] if isinstance(outputs, (tuple, list)) else outputs
        loss = tf.reduce_sum(outputs * upstream)
    return outputs, dict(
        zip(
            (weight.path for weight in model.trainable_weights),
            tape.gradient(loss, model.trainable_weights),
            strict=True,
        )
    )


@pytest.mark.parametrize("part", PARTS)
def test_an_extractor_and_its_gradients_are_those_of_plain_layers(ours, part):
    mine, twin = ours.get_layer(part), PARTS[part](64)
    _same_weights(twin, mine)
    chance = np.random.default_rng(0)
    images = chance.uniform(size=(4, 64, 64, 3)).astype(np.float32)
    upstream = chance.normal(size=(4, mine.output_shape[-1])).astype(np.float32)
    outputs, gradients = _gradients(mine, images, upstream)
    expected, twin_gradients = _gradients(twin, images, upstream)
    assert _difference(outputs, expected) < 1e-5
    assert len(gradients) == len(twin_gradients)
    others = twin_gradients if part == "backbone" else dict(zip(gradients, twin_gradients.values(), strict=True))
    for path, gradient in gradients.items():
        assert _difference(gradient, others[path]) < 1e-4, path


@pytest.mark.parametrize("name", [expressnet.EXPRESSION_MOE, expressnet.CNN_MOE])
def test_a_mixture_and_its_gradients_are_those_of_dense_layers(ours, name):
    mine, twin = ours.get_layer(name), _Mixture(512)
    twin.take(mine)
    chance = np.random.default_rng(0)
    features, upstream = (chance.normal(size=(8, 512)).astype(np.float32) for _ in range(2))
    outputs, gradients = _gradients(mine, features, upstream)
    expected, twin_gradients = _gradients(twin, features, upstream)
    assert _difference(outputs, expected) < 1e-5
    pairs = zip(gradients.values(), twin.gradients_like(list(twin_gradients.values())), strict=True)
    for gradient, other in pairs:
        assert _difference(gradient, other) < 1e-4


@pytest.mark.parametrize("num_classes", [7, 8])
def test_the_published_network_answers_like_its_twin_at_full_size(num_classes):
    """Forward at 224 px, untrained, as it infers."""
    mine = expressnet.build(presets.PAPER, num_classes, seed=1)
    images = np.random.default_rng(0).uniform(size=(2, 224, 224, 3)).astype(np.float32)
    features = {}
    for part, build in PARTS.items():
        twin = build(224)
        _same_weights(twin, mine.get_layer(part))
        features[part] = twin(images)
    mixtures = {}
    for name in (expressnet.EXPRESSION_MOE, expressnet.CNN_MOE):
        mixtures[name] = _Mixture(512)
        mixtures[name].take(mine.get_layer(name))
    fusion, classifier = layers.Dense(512, activation="relu"), layers.Dense(num_classes, activation="softmax")
    joined = tf.concat([features["cnnfe2"], features["backbone"]], axis=1)
    fusion.build(joined.shape)
    fusion.set_weights(mine.get_layer("fusion").get_weights())
    expression = mixtures[expressnet.EXPRESSION_MOE](fusion(joined))
    both = tf.concat([expression, mixtures[expressnet.CNN_MOE](features["cnnfe1"])], axis=1)
    classifier.build(both.shape)
    classifier.set_weights(mine.get_layer("classifier").get_weights())
    assert _difference(mine(images, training=False), classifier(both)) < 1e-5

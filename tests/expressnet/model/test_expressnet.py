import dataclasses

import keras
import numpy as np
import pytest

from expressnet.model import expressnet, presets

# TensorFlow 2.21's variables do not know the `copy` argument that NumPy 2 passes; Keras meets it in save().
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def paper():
    return expressnet.build(presets.PAPER, num_classes=7, seed=0)


@pytest.fixture
def tiny():
    return expressnet.build(presets.TINY, num_classes=3, seed=0)


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(4, 32, 32, 3)).astype("float32")


def test_seven_classes_have_the_published_parameters(paper):
    assert expressnet.parameter_counts(paper) == {
        "cnnfe1": 8_619_824,
        "cnnfe2": 458_208,
        "backbone": 23_561_152,
        "fusion": 1_180_160,
        "moe_expression": 1_052_676,
        "moe_cnn": 1_052_676,
        "classifier": 7_175,
        "total": 35_931_871,
        "trainable": 35_876_751,
        "non_trainable": 55_120,
    }


def test_eight_classes_have_the_published_parameters():
    counts = expressnet.parameter_counts(expressnet.build(presets.PAPER, num_classes=8, seed=0))
    assert counts["classifier"] == 8_200
    assert (counts["total"], counts["trainable"], counts["non_trainable"]) == (35_932_896, 35_877_776, 55_120)


@pytest.mark.parametrize(
    ("part", "trainable", "non_trainable"),
    [("cnnfe1", 8_618_816, 1_008), ("cnnfe2", 457_216, 992), ("backbone", 23_508_032, 53_120)],
)
def test_each_part_trains_the_published_parameters(paper, part, trainable, non_trainable):
    layer = paper.get_layer(part)
    counts = [
        sum(int(np.prod(weight.shape)) for weight in weights)
        for weights in (layer.trainable_weights, layer.non_trainable_weights)
    ]
    assert counts == [trainable, non_trainable]


def test_small_has_about_four_million_parameters():
    model = expressnet.build(presets.SMALL, num_classes=7, seed=0)
    assert 3_500_000 <= expressnet.parameter_counts(model)["total"] <= 4_500_000


def test_probabilities_are_float32_and_sum_to_one(tiny, images):
    probabilities = tiny(images).numpy()
    assert probabilities.shape == (4, 3)
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("part", presets.EXTRACTORS)
def test_an_extractor_that_is_removed_gives_zeros_and_costs_nothing(images, part):
    without = expressnet.build(dataclasses.replace(presets.TINY, removed=(part,)), num_classes=3, seed=0)
    assert not without.get_layer(part).trainable_weights
    features = keras.Model(without.input, without.get_layer(part).output)(images)
    assert features.shape == expressnet.build(presets.TINY, 3, 0).get_layer(part)(images).shape
    assert not np.asarray(features).any()
    assert np.asarray(without(images)).std() > 0


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_precision_concerns_the_computation_and_no_variable(images, precision):
    half = expressnet.build(presets.TINY, num_classes=3, seed=0, precision=precision)
    whole = expressnet.build(presets.TINY, num_classes=3, seed=0)
    assert keras.config.dtype_policy().name == "float32"
    assert half.get_layer("backbone").layers[1].compute_dtype == precision.removeprefix("mixed_")
    assert {weight.dtype for weight in half.trainable_weights} == {"float32"}
    for mine, other in zip(half.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert half.output.dtype == "float32"
    np.testing.assert_allclose(half.predict(images, verbose=0), whole.predict(images, verbose=0), atol=0.01)


def test_every_random_number_follows_from_the_seed(images):
    def weights_after_a_step(seed):
        model = expressnet.build(presets.TINY, num_classes=3, seed=seed)
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", run_eagerly=True)
        model.train_on_batch(images, np.array([0, 1, 2, 0]))
        return np.concatenate([weight.numpy().ravel() for weight in model.weights])

    np.testing.assert_allclose(weights_after_a_step(1), weights_after_a_step(1), rtol=1e-5, atol=1e-6)
    assert np.abs(weights_after_a_step(1) - weights_after_a_step(2)).max() > 0.1


def test_no_two_layers_start_alike(tiny):
    backbone = tiny.get_layer("backbone")
    first, second = (backbone.get_layer(f"conv2_1_3x3_{part}").kernel for part in ("first", "second"))
    assert first.shape == second.shape
    assert np.abs(first - second).max() > 0.01


def test_a_saved_model_comes_back_whole(tiny, images, tmp_path):
    tiny.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), tiny(images))
    assert expressnet.parameter_counts(loaded) == expressnet.parameter_counts(tiny)


def test_gates_are_read_from_built_and_from_loaded_models(tiny, images, tmp_path):
    expected = expressnet.with_gates(tiny)(images)
    tiny.save(tmp_path / "plain.keras")
    expressnet.with_gates(tiny).save(tmp_path / "gates.keras")
    from_plain = expressnet.with_gates(keras.saving.load_model(tmp_path / "plain.keras"))
    from_gates = keras.saving.load_model(tmp_path / "gates.keras")
    for model in (from_plain, from_gates):
        for ours, reference in zip(model(images), expected, strict=True):
            np.testing.assert_array_equal(ours, reference)


def test_gates_come_with_the_probabilities_and_sum_to_one(tiny, images):
    probabilities, *gates = expressnet.with_gates(tiny)(images)
    np.testing.assert_array_equal(probabilities, tiny(images))
    for weights in gates:
        assert weights.shape == (4, 4)
        np.testing.assert_allclose(np.sum(weights, axis=1), 1, atol=1e-6)


def test_fft_and_direct_backends_agree(images):
    outputs = [
        expressnet.build(dataclasses.replace(presets.TINY, conv_backend=backend), 3, seed=0)(images)
        for backend in ("fft", "direct")
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)


def test_tiny_learns_which_half_is_bright():
    generator = np.random.default_rng(0)
    labels = np.arange(64) % 2
    images = generator.uniform(0, 0.5, size=(64, 32, 32, 3)).astype("float32")
    images[labels == 1, :16] += 0.5
    images[labels == 0, 16:] += 0.5
    model = expressnet.build(presets.TINY, num_classes=2, seed=0)
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.fit(images, labels, batch_size=16, epochs=12, verbose=0)
    assert model.evaluate(images, labels, verbose=0)[1] > 0.95


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 2; got 1"):
        expressnet.build(presets.TINY, num_classes=1, seed=0)

import keras
import numpy as np
import pytest

from expressnet.model import moe

GATES = np.array([0.15, 0.5, 0.05, 0.3], "float32")


def _constant_layer(top_k, experts=(100.0, 1.0, 1000.0, 10.0), **options):
    """Expert i says `experts[i]` and the gates are GATES, whatever the input."""
    layer = moe.TopKMixtureOfExperts(units=1, num_experts=4, top_k=top_k, **options)
    layer.build((None, 3))
    layer.set_weights(
        [np.zeros((4, 3, 1)), np.reshape(experts, (4, 1)), np.zeros((3, 4)), np.log(GATES)],
    )
    return layer


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [(1, 0.5), (2, 0.5 + 3.0), (3, 0.5 + 3.0 + 15.0), (4, 0.5 + 3.0 + 15.0 + 50.0)],
)
def test_the_largest_gates_pick_and_are_not_renormalised(top_k, expected):
    mixture, gates = _constant_layer(top_k)(np.ones((2, 3), "float32"))
    np.testing.assert_allclose(mixture, [[expected], [expected]], rtol=1e-5)
    np.testing.assert_allclose(gates, [GATES, GATES], rtol=1e-5)


def test_the_gates_of_the_mixed_experts_can_be_renormalised():
    mixture, gates = _constant_layer(2, renormalize=True)(np.ones((1, 3), "float32"))
    np.testing.assert_allclose(mixture, [[(0.5 * 1 + 0.3 * 10) / 0.8]], rtol=1e-5)
    np.testing.assert_allclose(gates, [GATES], rtol=1e-5)


def test_noise_moves_the_gates_while_training_only_and_follows_the_seed():
    inputs = np.ones((500, 3), "float32")
    layer, twin = (_constant_layer(2, gate_noise=0.5, seed=7) for _ in range(2))
    np.testing.assert_allclose(layer(inputs)[1][0], GATES, rtol=1e-5)
    noisy = np.asarray(layer(inputs, training=True)[1])
    np.testing.assert_array_equal(noisy, twin(inputs, training=True)[1])
    # The difference of two logits has a variance of twice 0.5 squared.
    assert np.log(noisy[:, 0] / noisy[:, 1]).std() == pytest.approx(0.5 * 2**0.5, rel=0.1)


def test_an_even_load_costs_the_weight_and_a_full_one_as_many_times_as_there_are_experts():
    """Four inputs of which each goes to its own expert, and four that all go to the first."""
    layer = moe.TopKMixtureOfExperts(units=1, num_experts=4, top_k=1, balance=0.25)
    layer.build((None, 4))
    layer.gate_kernel.assign(np.eye(4) * 100)
    for inputs, expected in ((np.eye(4), 0.25), (np.eye(4)[[0, 0, 0, 0]], 1.0)):
        layer(inputs.astype("float32"), training=True)
        assert float(layer.losses[0]) == pytest.approx(expected)
    layer(np.eye(4, dtype="float32"))
    assert layer.losses == []


@pytest.mark.parametrize(
    ("without", "expected"),
    # GATES without one of them, scaled to sum to 1; the best two of the rest answer.
    [(0, (0.5 * 1 + 0.3 * 10) / 0.85), (1, (0.15 * 100 + 0.3 * 10) / 0.5), (3, (0.5 * 1 + 0.15 * 100) / 0.7)],
)
def test_without_an_expert_the_best_of_the_others_answer(without, expected):
    mixture, gates = _constant_layer(2)(np.ones((1, 3), "float32"), without=without)
    np.testing.assert_allclose(mixture, [[expected]], rtol=1e-5)
    assert float(gates[0, without]) == 0
    np.testing.assert_allclose(np.sum(gates), 1, rtol=1e-6)


def test_negative_strengths_are_refused():
    with pytest.raises(ValueError, match="must not be negative; got -1.0 and 0.0"):
        moe.TopKMixtureOfExperts(units=1, gate_noise=-1.0)


def test_an_expert_never_says_less_than_zero():
    mixture, _ = _constant_layer(2, experts=(0.0, -7.0, 0.0, 10.0))(np.ones((1, 3), "float32"))
    np.testing.assert_allclose(mixture, [[3.0]], rtol=1e-5)


def test_equal_gates_still_pick_exactly_top_k_experts():
    layer = _constant_layer(2)
    layer.gate_bias.assign(np.zeros(4))
    mixture, _ = layer(np.ones((1, 3), "float32"))
    np.testing.assert_allclose(mixture, [[0.25 * 100 + 0.25 * 1]], rtol=1e-5)


def test_each_expert_is_a_dense_layer():
    features = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    layer = moe.TopKMixtureOfExperts(units=3, num_experts=2, top_k=2, seed=1)
    mixture, gates = layer(features)
    expected = sum(
        gates.numpy()[:, [index]] * np.maximum(features @ layer.expert_kernel.numpy()[index], 0) for index in range(2)
    )
    np.testing.assert_allclose(mixture, expected, rtol=1e-4, atol=1e-6)


def test_experts_start_as_wide_as_a_dense_layer_would():
    layer = moe.TopKMixtureOfExperts(units=50, seed=1)
    layer.build((None, 100))
    assert np.abs(layer.expert_kernel).max() == pytest.approx((6 / 150) ** 0.5, rel=1e-3)


def test_the_published_size_has_1052676_parameters():
    layer = moe.TopKMixtureOfExperts(units=512, num_experts=4, top_k=2)
    layer.build((None, 512))
    assert layer.count_params() == 1_052_676


def test_config_round_trip():
    layer = moe.TopKMixtureOfExperts(
        units=3, num_experts=5, top_k=1, renormalize=True, gate_noise=0.5, balance=0.01, seed=9, name="moe_cnn"
    )
    assert keras.layers.deserialize(keras.layers.serialize(layer)).get_config() == layer.get_config()


@pytest.mark.parametrize("top_k", [0, 5])
def test_top_k_outside_the_experts_is_refused(top_k):
    with pytest.raises(ValueError, match=f"between 1 and num_experts=4; got {top_k}"):
        moe.TopKMixtureOfExperts(units=1, num_experts=4, top_k=top_k)

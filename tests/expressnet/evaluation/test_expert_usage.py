import numpy as np
import pytest

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import expert_usage

GATES = np.array([[0.6, 0.3, 0.1, 0.0], [0.5, 0.1, 0.4, 0.0], [0.7, 0.2, 0.1, 0.0], [0.4, 0.4, 0.2, 0.0]])
LABELS = np.array([0, 0, 1, 1])


def _of(gates=GATES, without=None, predicted=LABELS):
    without = np.repeat(LABELS[:, None], gates.shape[1], axis=1) if without is None else without
    settings = EvaluateConfig(num_resamples=100)
    return expert_usage.of(gates, without, predicted, LABELS, np.arange(4), top_k=2, num_classes=2, config=settings)


def test_usage_by_hand():
    found = _of()
    assert found["usage"] == [1.0, 0.75, 0.25, 0.0]
    assert found["usage_by_class"] == [[1.0, 0.5, 0.5, 0.0], [1.0, 1.0, 0.0, 0.0]]
    np.testing.assert_allclose(found["gates_by_class"], [[0.55, 0.2, 0.25, 0], [0.55, 0.3, 0.15, 0]])
    assert found["pairs"] == [{"experts": [0, 1], "share": 0.75}, {"experts": [0, 2], "share": 0.25}]
    assert found["dead"] == [3]
    assert not found["is_constant"]
    # Mean 0.5; deviations 0.5, 0.25, -0.25, -0.5.
    assert found["load_variation"] == pytest.approx(np.sqrt((0.25 + 0.0625) / 2) / 0.5)


def test_of_equal_gates_the_first_is_chosen_as_in_the_model():
    chosen = expert_usage.chosen_experts(np.full((1, 4), 0.25), 2)
    np.testing.assert_array_equal(chosen, [[True, True, False, False]])


@pytest.mark.parametrize(("gates", "entropy"), [([0.25] * 4, 1.0), ([1.0, 0, 0, 0], 0.0), ([0.5, 0.5, 0, 0], 0.5)])
def test_the_entropy_is_a_share_of_the_largest(gates, entropy):
    assert _of(np.tile(gates, (4, 1)))["entropy"] == pytest.approx(entropy, abs=1e-6)


def test_gates_that_are_the_same_for_every_image_do_not_choose():
    assert _of(np.tile([0.4, 0.3, 0.2, 0.1], (4, 1)))["is_constant"]


def test_the_accuracy_lost_without_an_expert():
    without = np.repeat(LABELS[:, None], 4, axis=1)
    without[0, 1] = 1  # without the second expert the first image is wrong
    found = _of(without=without)
    assert [one["value"] for one in found["lost"]] == [0.0, 0.25, 0.0, 0.0]

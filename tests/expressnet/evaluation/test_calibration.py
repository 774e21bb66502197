import numpy as np
import pytest

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import calibration, metrics


def _drawn(count, temperature, seed=0):
    """Labels drawn from the probabilities, and those probabilities made surer by dividing logits by `temperature`."""
    noise = np.random.default_rng(seed)
    logits = noise.normal(0, 1.5, (count, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < noise.random(count)[:, None]).sum(axis=1)
    return np.minimum(labels, 3), calibration.scaled(true, temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    labels, probabilities = _drawn(20_000, temperature)
    assert calibration.fit_temperature(labels, probabilities) == pytest.approx(1 / temperature, rel=0.05)


def test_scaling_keeps_the_order_and_a_temperature_of_one_changes_nothing():
    _, probabilities = _drawn(50, 1.0)
    np.testing.assert_allclose(calibration.scaled(probabilities, 1.0), probabilities, rtol=1e-9)
    np.testing.assert_array_equal(calibration.scaled(probabilities, 3.0).argsort(axis=1), probabilities.argsort(axis=1))


def test_scaling_by_hand():
    # Logits log 0.8 and log 0.2 divided by 2: the ratio 4 becomes its root, 2.
    np.testing.assert_allclose(calibration.scaled(np.array([[0.8, 0.2]]), 2.0), [[2 / 3, 1 / 3]])


def test_the_calibration_error_by_hand():
    # Four rows say 0.9 and three are right; two say 0.6 and none is: (4 * |0.9 - 0.75| + 2 * |0.6 - 0|) / 6.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2)
    labels = np.array([0, 0, 0, 1, 1, 1])
    settings = EvaluateConfig(num_resamples=100)
    found = metrics.with_intervals(labels, probabilities, np.arange(6), settings)
    assert found["calibration_error"]["value"] == pytest.approx((4 * 0.15 + 2 * 0.6) / 6)
    rows = calibration.reliability(labels, probabilities)
    assert [(row["num_rows"], row["accuracy"]) for row in rows] == [(2, 0.0), (4, 0.75)]


def test_the_interval_of_the_calibration_error_holds_the_true_one_most_of_the_time():
    _, whole = _drawn(200_000, 0.4, seed=1)
    labels, _ = _drawn(200_000, 0.4, seed=1)
    settings = EvaluateConfig(num_resamples=100)
    true = np.abs(calibration.gaps(labels, whole).sum(axis=0)).sum() / len(labels)
    held = 0
    for draw in range(25):
        rows = np.random.default_rng(draw).choice(len(labels), 1000, replace=False)
        found = metrics.with_intervals(labels[rows], whole[rows], rows, settings)["calibration_error"]
        held += found["low"] <= true <= found["high"]
    assert held >= 21  # 95 % of 25 is 23.75


def test_a_temperature_needs_rows():
    with pytest.raises(ValueError, match="needs rows that the model was not trained on; got none"):
        calibration.fit_temperature(np.array([], int), np.zeros((0, 3)))

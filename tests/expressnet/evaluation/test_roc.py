import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from expressnet.evaluation import roc


def _areas(labels, probabilities, weights=None):
    weights = np.ones((len(labels), 1)) if weights is None else weights
    return roc.Ranked(np.array(labels), np.array(probabilities)).areas(weights)


def test_the_area_by_hand():
    # Of the four pairs of a positive and a negative, three are in order and one is a tie: 3.5 of 4.
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    found = _areas([1, 1, 0, 0], np.column_stack([1 - scores, scores]))
    assert found["roc_auc_by_class"][0, 1] == 3.5 / 4


def test_the_areas_are_those_of_scikit_learn_with_ties():
    noise = np.random.default_rng(0)
    labels, probabilities = noise.integers(0, 4, 300), noise.dirichlet(np.ones(4), 300).round(1) + 0.001
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert _areas(labels, probabilities)["roc_auc"][0] == pytest.approx(expected, abs=1e-6)


def test_a_row_that_counts_three_times_is_like_three_rows():
    noise = np.random.default_rng(1)
    labels, probabilities = noise.integers(0, 3, 60), noise.dirichlet(np.ones(3), 60)
    weights = noise.integers(0, 4, 60)
    again = np.repeat(np.arange(60), weights)
    found = _areas(labels, probabilities, weights[:, None].astype(float))["roc_auc_by_class"]
    np.testing.assert_allclose(found, _areas(labels[again], probabilities[again])["roc_auc_by_class"], rtol=1e-6)


def test_a_class_without_rows_has_no_area_and_is_left_out_of_the_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    found = _areas([0, 1], probabilities)
    np.testing.assert_array_equal(np.isnan(found["roc_auc_by_class"][0]), [False, False, True])
    assert found["roc_auc"][0] == 1.0


def test_rows_of_one_class_have_no_area_at_all():
    assert np.isnan(_areas([0, 0], [[0.6, 0.4], [0.7, 0.3]])["roc_auc"]).all()


def test_a_curve_is_finite_short_and_runs_from_corner_to_corner():
    noise = np.random.default_rng(2)
    points = np.array(roc.curve(noise.random(5000) < 0.3, noise.random(5000)))
    assert len(points) <= 101
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(points[[0, -1], :2], [[0, 0], [1, 1]])
    assert roc.curve(np.zeros(3, bool), np.ones(3)) == []

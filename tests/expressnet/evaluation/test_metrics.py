import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import metrics

FIGURES = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "precision", "recall", "f1")


def _intervals(labels, predicted, groups=None, num_classes=3, num_resamples=500, confidence=0.95, seed=0):
    groups = np.arange(len(labels)) if groups is None else groups
    settings = EvaluateConfig(num_resamples=num_resamples, confidence=confidence, seed=seed)
    return metrics.with_intervals(labels, np.eye(num_classes)[predicted], groups, settings)


def _noisy_predictions(count, seed=0, num_classes=3, error_rate=0.3):
    noise = np.random.default_rng(seed)
    labels = noise.integers(0, num_classes, count)
    guesses = noise.integers(0, num_classes, count)
    return labels, np.where(noise.random(count) < error_rate, guesses, labels)


def test_two_classes_by_hand():
    # 10 of the first class, 8 of them found; 10 of the second, 6 of them found.
    found = metrics.from_confusion(np.array([[8, 2], [4, 6]]))
    np.testing.assert_allclose(found["accuracy"], 14 / 20)
    np.testing.assert_allclose(found["precision"], [8 / 12, 6 / 8])
    np.testing.assert_allclose(found["recall"], [0.8, 0.6])
    np.testing.assert_allclose(found["f1"], [16 / 22, 12 / 18])
    np.testing.assert_allclose(found["macro_f1"], (16 / 22 + 12 / 18) / 2)


def test_three_classes_by_hand_one_never_predicted_one_never_present():
    # Two of class 0, one of them taken for class 1; two of class 2, both taken for class 1; none of class 1.
    found = metrics.from_confusion(np.array([[1, 1, 0], [0, 0, 0], [0, 2, 0]]))
    np.testing.assert_allclose(found["accuracy"], 1 / 4)
    np.testing.assert_allclose(found["precision"], [1, 0, 0])
    np.testing.assert_allclose(found["recall"], [0.5, 0, 0])
    np.testing.assert_allclose(found["f1"], [2 / 3, 0, 0])
    np.testing.assert_allclose(found["macro_recall"], 0.5 / 3)


def test_one_vs_rest_and_balanced_accuracy_by_hand():
    found = metrics.from_confusion(np.array([[1, 1, 0], [0, 0, 0], [0, 2, 0]]))
    # Class 0: one of four is wrong. Class 1: three were called so wrongly. Class 2: two were not found.
    np.testing.assert_allclose(found["one_vs_rest_accuracy"], [3 / 4, 1 / 4, 2 / 4])
    np.testing.assert_allclose(found["balanced_accuracy"], (0.5 + 0) / 2)  # class 1 does not occur


def test_figures_of_probabilities_are_those_of_scikit_learn():
    noise = np.random.default_rng(5)
    labels, probabilities = noise.integers(0, 5, 400), noise.dirichlet(np.ones(5), 400)
    found = metrics.with_intervals(labels, probabilities, np.arange(400), EvaluateConfig(num_resamples=100))
    assert found["roc_auc"]["value"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"))
    assert found["log_loss"]["value"] == pytest.approx(log_loss(labels, probabilities))
    predicted = probabilities.argmax(axis=1)
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    for name in ("roc_auc", "log_loss", "roc_auc_by_class"):
        low, value, high = (np.array(found[name][key]) for key in ("low", "value", "high"))
        assert ((low < value) & (value < high)).all()


def test_many_confusions_at_once_are_each_one_alone():
    stack = np.random.default_rng(0).integers(0, 9, (4, 5, 3, 3)) + np.eye(3, dtype=int)
    together = metrics.from_confusion(stack)
    alone = metrics.from_confusion(stack[2, 3])
    for name in FIGURES:
        np.testing.assert_allclose(together[name][2, 3], alone[name])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_the_figures_are_those_of_scikit_learn(pairs):
    labels, predicted = np.array(pairs).T
    found = metrics.from_confusion(metrics.confusion(labels, predicted, 4))
    expected = precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(found[name], values)
        np.testing.assert_allclose(found[f"macro_{name}"], np.mean(values))
    np.testing.assert_allclose(found["accuracy"], accuracy_score(labels, predicted))


def test_a_row_of_the_confusion_is_the_true_class():
    np.testing.assert_array_equal(
        metrics.confusion(np.array([0, 0, 1]), np.array([2, 2, 1]), 3), [[0, 0, 2], [0, 1, 0], [0, 0, 0]]
    )


def test_the_headline_by_hand():
    # Twice right with 1/2, once wrong with 1/4 on the true class.
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], "float32")
    found = metrics.headline(np.array([0, 1, 2]), probabilities)
    np.testing.assert_allclose(found["loss"], (np.log(2) + np.log(2) + np.log(4)) / 3, rtol=1e-6)
    np.testing.assert_allclose(found["accuracy"], 2 / 3)
    # F1: class 0 is predicted twice and right once, 2 * 1 / (1 + 2); class 1 is perfect; class 2 never predicted.
    np.testing.assert_allclose(found["macro_f1"], (2 / 3 + 1 + 0) / 3)


def test_the_headline_agrees_with_the_figures_of_the_confusion():
    noise = np.random.default_rng(3)
    labels, probabilities = noise.integers(0, 7, 400), noise.dirichlet(np.ones(7), 400)
    found = metrics.headline(labels, probabilities)
    figures = metrics.from_confusion(metrics.confusion(labels, probabilities.argmax(axis=1), 7))
    assert found["accuracy"] == pytest.approx(figures["accuracy"])
    assert found["macro_f1"] == pytest.approx(figures["macro_f1"])


def test_float32_probabilities_that_sum_to_nearly_one_are_accepted():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), 200).astype("float32") * np.float32(1 + 1e-6)
    assert np.isfinite(metrics.headline(np.arange(200) % 7, probabilities)["loss"])


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_holds_the_value(seed):
    found = _intervals(*_noisy_predictions(300, seed), seed=seed)
    for name in FIGURES:
        low, value, high = (np.array(found[name][key]) for key in ("low", "value", "high"))
        assert (low <= value).all()
        assert (value <= high).all()
        assert (low < high).any()


def test_the_value_is_that_of_the_data_not_of_the_resamples():
    labels, predicted = _noisy_predictions(50)
    expected = metrics.from_confusion(metrics.confusion(labels, predicted, 3))
    found = _intervals(labels, predicted)
    for name in FIGURES:
        np.testing.assert_allclose(found[name]["value"], expected[name])


def test_nothing_is_uncertain_where_everything_is_right():
    labels = np.arange(60) % 3
    assert _intervals(labels, labels)["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def _width(found, name="accuracy"):
    return found[name]["high"] - found[name]["low"]


def test_few_persons_with_like_images_make_the_interval_wider():
    # 20 persons of 20 images; the model understands half of the persons.
    persons = np.repeat(np.arange(20), 20)
    labels = np.tile(np.arange(20) % 3, 20)
    predicted = np.where(persons % 2 == 0, labels, (labels + 1) % 3)
    by_image, by_person = _intervals(labels, predicted), _intervals(labels, predicted, persons)
    assert by_image["accuracy"]["value"] == by_person["accuracy"]["value"] == 0.5
    assert _width(by_person) > 3 * _width(by_image)  # sqrt(20) = 4.5 in theory


def test_more_confidence_makes_the_interval_wider():
    data = _noisy_predictions(200)
    assert _width(_intervals(*data, confidence=0.99)) > _width(_intervals(*data, confidence=0.8))


def test_the_interval_of_an_accuracy_is_the_binomial_one():
    labels, predicted = _noisy_predictions(1000)
    found = _intervals(labels, predicted, num_resamples=4000)
    accuracy = found["accuracy"]["value"]
    expected = 2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / 1000)
    assert _width(found) == pytest.approx(expected, rel=0.1)


def test_the_same_seed_gives_the_same_interval_another_seed_another():
    data = _noisy_predictions(100)
    assert _intervals(*data, seed=1) == _intervals(*data, seed=1)
    assert _intervals(*data, seed=1) != _intervals(*data, seed=2)


def test_the_name_of_a_group_does_not_matter():
    labels, predicted = _noisy_predictions(100)
    numbers = np.arange(100) // 10
    named = np.array([f"p{number}" for number in numbers])
    assert _intervals(labels, predicted, numbers) == _intervals(labels, predicted, named)

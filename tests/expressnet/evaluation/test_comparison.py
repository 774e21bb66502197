import numpy as np
import pytest
from sklearn.metrics import f1_score

from expressnet.evaluation import comparison


def _answers(labels, accuracy, seed, num_classes=3, sure=0.8):
    """Probabilities that choose the right class with a chance of `accuracy`."""
    chance = np.random.default_rng(seed)
    wrong = (labels + chance.integers(1, num_classes, len(labels))) % num_classes
    chosen = np.where(chance.random(len(labels)) < accuracy, labels, wrong)
    probabilities = np.full((len(labels), num_classes), (1 - sure) / (num_classes - 1))
    probabilities[np.arange(len(labels)), chosen] = sure
    return probabilities


def _compare(labels, champion, challenger, groups=None, num_resamples=400, seed=0):
    groups = np.arange(len(labels)) if groups is None else groups
    return comparison.compare(
        labels, champion, challenger, groups, num_resamples=num_resamples, confidence=0.95, seed=seed
    )


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(0, 3, 600)


def test_the_differences_are_those_of_the_figures(labels):
    champion, challenger = _answers(labels, 0.7, 1), _answers(labels, 0.8, 2, sure=0.9)
    found = _compare(labels, champion, challenger)
    one, other = (each.argmax(axis=1) for each in (champion, challenger))
    f1 = [f1_score(labels, each, average="macro") for each in (one, other)]
    assert found.macro_f1.value == pytest.approx(f1[1] - f1[0])
    assert found.accuracy.value == pytest.approx((other == labels).mean() - (one == labels).mean())
    for place in range(3):
        expected = (other[labels == place] == place).mean() - (one[labels == place] == place).mean()
        assert found.recall[place].value == pytest.approx(expected)
    # Everybody is equally sure, so that the calibration error is the distance of that from the accuracy.
    errors = [abs(sure - (each == labels).mean()) for sure, each in ((0.8, one), (0.9, other))]
    assert found.calibration_error.value == pytest.approx(errors[1] - errors[0])
    assert (found.only_champion_right, found.only_challenger_right) == (
        ((one == labels) & (other != labels)).sum(),
        ((one != labels) & (other == labels)).sum(),
    )
    for difference in (found.macro_f1, found.accuracy, *found.recall, found.calibration_error):
        assert difference.low <= difference.value <= difference.high


def test_mcnemar_by_hand():
    labels = np.zeros(10, int)
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    champion = np.array([right] * 3 + [wrong] * 7)
    challenger = np.array([wrong] + [right] * 8 + [wrong])
    found = _compare(labels, champion, challenger)
    assert (found.only_champion_right, found.only_challenger_right) == (1, 6)
    assert found.mcnemar_p == pytest.approx(2 * (1 + 7) / 2**7)


def test_a_model_against_itself_differs_in_nothing(labels):
    answers = _answers(labels, 0.7, 1)
    found = _compare(labels, answers, answers)
    assert (found.macro_f1.low, found.macro_f1.value, found.macro_f1.high) == (0, 0, 0)
    assert (found.mcnemar_p, found.visible_gain) == (1.0, 0.0)


def test_groups_are_drawn_whole(labels):
    champion, challenger = _answers(labels, 0.7, 1), _answers(labels, 0.75, 2)
    tenfold = [np.repeat(each, 10, axis=0) for each in (labels, champion, challenger)]
    alone = _compare(*tenfold)
    grouped = _compare(*tenfold, groups=np.repeat(np.arange(600), 10))
    once = _compare(labels, champion, challenger)
    assert grouped.num_groups == 600
    assert grouped.macro_f1 == once.macro_f1
    assert grouped.visible_gain > 2.5 * alone.visible_gain


def test_the_same_seed_gives_the_same_interval_and_the_order_of_rows_does_not_matter(labels):
    champion, challenger = _answers(labels, 0.7, 1), _answers(labels, 0.75, 2)
    order = np.random.default_rng(3).permutation(len(labels))
    one = _compare(labels, champion, challenger)
    other = _compare(labels[order], champion[order], challenger[order], groups=order)
    assert one.macro_f1.low == pytest.approx(other.macro_f1.low)
    assert one == _compare(labels, champion, challenger)


def test_the_visible_gain_is_found_in_about_four_of_five_cases():
    """A true gain of that size, simulated."""
    labels = np.random.default_rng(0).integers(0, 3, 1000)
    gain = _compare(labels, _answers(labels, 0.7, 1), _answers(labels, 0.7, 2)).visible_gain
    found = [
        _compare(labels, _answers(labels, 0.7, seed), _answers(labels, 0.7 + gain, 1000 + seed), num_resamples=200)
        for seed in range(100)
    ]
    assert 0.65 <= np.mean([one.macro_f1.low > 0 for one in found]) <= 0.95


def test_rows_that_do_not_match_are_refused(labels):
    answers = _answers(labels, 0.7, 1)
    with pytest.raises(ValueError, match=r"got 600 labels, 600 groups and probabilities of shape \(600, 3\) and \(599"):
        _compare(labels, answers, answers[1:])
    with pytest.raises(ValueError, match="got 0 labels"):
        _compare(labels[:0], answers[:0], answers[:0])

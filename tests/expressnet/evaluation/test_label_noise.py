import numpy as np
import pytest

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import label_noise, labelled_predictions
from tests.made import made_answers

CLASSES = made_answers.CLASSES


def _flipped(count=2000, share=0.05):
    table = made_answers.table(count, skill=5.0)
    labels = labelled_predictions.labels(table, CLASSES)
    noise = np.random.default_rng(9)
    is_flipped = noise.random(count) < share
    return table, np.where(is_flipped, (labels + noise.integers(1, 7, count)) % 7, labels), is_flipped


def test_planted_flips_are_found():
    table, labels, is_flipped = _flipped()
    doubted = label_noise.find(labels, labelled_predictions.probabilities(table))
    assert doubted[is_flipped].mean() > 0.8
    assert is_flipped[doubted].mean() > 0.8


def test_suspects_are_named_with_what_they_look_like_the_most_doubtful_first():
    table, labels, is_flipped = _flipped()
    found = label_noise.suspects(table, labels, labelled_predictions.probabilities(table), CLASSES)
    assert tuple(found.columns) == label_noise.SUSPECT_COLUMNS
    assert found["probability_of_label"].is_monotonic_increasing
    truth = dict(zip(table["sha256"], table["label"], strict=True))
    assert np.mean([truth[row.sha256] == row.likely for row in found.itertuples()]) > 0.8
    counted = label_noise.by_class(found, np.bincount(labels).tolist(), CLASSES)
    assert sum(one["num_suspects"] for one in counted) == len(found)
    assert sum(one["num_strong"] for one in counted) == (found["probability_of_label"] < 0.05).sum() > 0


@pytest.mark.parametrize("kept", [[0, 2], [3]], ids=["two of seven classes", "one class"])
def test_classes_without_rows_do_no_harm(kept):
    table = made_answers.table(700)
    table = table[table["label"].isin([CLASSES[place] for place in kept])]
    doubted = label_noise.find(labelled_predictions.labels(table, CLASSES), labelled_predictions.probabilities(table))
    assert doubted.shape == (len(table),)
    assert doubted.mean() < 0.5


def test_agreement_with_votes_by_hand():
    table = made_answers.table(4, classes=["a", "b"])
    table["target"] = [[1.0, 0.0], [0.5, 0.5], [0.1, 0.9], []]
    found = label_noise.agreement(
        table, np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), EvaluateConfig(num_resamples=100)
    )
    assert found["num_rows"] == 3
    assert found["votes_for_label"]["value"] == pytest.approx((1 + 0.5 + 0.1) / 3)
    assert found["votes_for_answer"]["value"] == pytest.approx((1 + 0.5 + 0.9) / 3)
    assert found["accuracy_where_80_percent_agree"]["value"] == 0.5  # the first is right, the third is not
    assert found["accuracy_elsewhere"]["value"] == 0.0


def test_without_votes_there_is_no_agreement():
    table, settings = made_answers.table(5), EvaluateConfig()
    assert label_noise.agreement(table, np.zeros(5, int), np.zeros(5, int), settings) == {}

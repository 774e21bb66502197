import math

import numpy as np
import pytest

from expressnet.config.drift import DriftConfig
from expressnet.evaluation import distribution_shift

LIMITS = {name: getattr(DriftConfig(), name) for name in ("alpha", "min_psi", "num_bins", "num_permutations")}


def _names(count, *shares):
    return np.repeat(np.arange(len(shares)), [round(count * share) for share in shares]).astype(object)


def test_psi_is_the_sum_that_a_reader_can_add_up():
    # Shares with half a value more in each bin: 9.5/40 and 30.5/40 against 29.5/40 and 10.5/40.
    p, q = (9.5 / 40, 30.5 / 40), (29.5 / 40, 10.5 / 40)
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert distribution_shift.psi(np.array([9, 30]), np.array([29, 10])) == pytest.approx(expected)
    assert distribution_shift.psi(np.array([9, 30]), np.array([9, 30])) == 0


def test_the_bins_are_quantiles_of_the_first_sample():
    before, now = distribution_shift.binned(np.arange(100), np.array([-5, 3, 1000]), 4)
    assert before.tolist() == [25, 25, 25, 25]
    assert now.tolist() == [2, 0, 0, 1]


def test_a_category_that_was_never_there_is_an_alarm_of_its_figure_alone():
    same = np.arange(400.0)
    found = distribution_shift.compare(
        {"class": (_names(400, 0.5, 0.5), _names(200, 0.25, 0.25, 0.5)), "size": (same, same[::2])}, **LIMITS
    )
    assert [(one.name, one.is_alarm) for one in found] == [("class", True), ("size", False)]
    assert (found[0].num_before, found[0].num_new) == (400, 200)


def test_a_shift_that_is_certain_but_small_is_no_alarm():
    noise = np.random.default_rng(0)
    (found,) = distribution_shift.compare(
        {"brightness": (noise.normal(0, 1, 50_000), noise.normal(0.1, 1, 50_000))}, **LIMITS
    )
    assert found.p_value < 1e-6
    assert found.psi < 0.2
    assert not found.is_alarm


def test_a_large_index_of_few_images_is_no_alarm():
    noise = np.random.default_rng(0)
    (found,) = distribution_shift.compare({"brightness": (noise.normal(0, 1, 1000), noise.normal(0, 1, 10))}, **LIMITS)
    assert found.psi > 0.2
    assert not found.is_alarm


def test_of_samples_alike_hardly_one_look_in_a_hundred_alarms_and_of_shifted_ones_nearly_all():
    noise = np.random.default_rng(1)

    def is_alarm(shift):
        pairs = {f"figure {place}": (noise.normal(0, 1, 500), noise.normal(0, 1, 100)) for place in range(8)}
        pairs["shifted"] = (noise.normal(0, 1, 500), noise.normal(shift, 1, 100))
        return any(one.is_alarm for one in distribution_shift.compare(pairs, **LIMITS))

    assert sum(is_alarm(0.0) for _ in range(200)) <= 2
    assert sum(is_alarm(0.8) for _ in range(200)) >= 190


def _embeddings(noise, count, shift=0.0):
    """Two kinds of faces in 32 dimensions, cut off at 0 as a ReLU does."""
    centres = np.where(np.arange(count)[:, None] % 2, 1.0, -1.0) * np.linspace(0, 1, 32)
    return np.maximum(centres + noise.normal(shift, 1, (count, 32)), 0).astype(np.float32)


def test_embeddings_alike_alarm_hardly_ever_and_shifted_ones_nearly_always():
    noise = np.random.default_rng(2)

    def is_alarm(shift):
        pair = _embeddings(noise, 120), _embeddings(noise, 60, shift)
        return distribution_shift.compare({"embedding": pair}, **LIMITS)[0].is_alarm

    assert sum(is_alarm(0.0) for _ in range(100)) <= 5
    assert sum(is_alarm(0.5) for _ in range(10)) == 10


def test_vectors_beside_all_others_are_a_large_shift():
    # Away from the first sample at a right angle to all its differences, where its own clusters would see nothing.
    noise = np.random.default_rng(3)
    before, now = (np.hstack([noise.normal(0, 1, (200, 4)), np.full((200, 1), far)]) for far in (0.0, 50.0))
    (found,) = distribution_shift.compare({"embedding": (before, now)}, **LIMITS)
    assert found.psi > 5
    assert found.is_alarm
    assert distribution_shift.compare({"embedding": (before, now)}, **LIMITS) == [found]


def test_vectors_that_are_all_one_are_no_shift():
    (found,) = distribution_shift.compare({"embedding": (np.ones((9, 3)), np.ones((5, 3)))}, **LIMITS)
    assert (found.p_value, found.is_alarm) == (1.0, False)


def test_nothing_to_compare_is_nothing():
    assert distribution_shift.compare({}, **LIMITS) == []
    (found,) = distribution_shift.compare({"face found": (np.ones(5, bool), np.ones(3, bool))}, **LIMITS)
    assert (found.p_value, found.is_alarm) == (1.0, False)

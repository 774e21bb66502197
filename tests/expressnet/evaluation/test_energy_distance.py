import numpy as np
import pytest

from expressnet.evaluation import energy_distance


def _p(before, now, num_permutations=199):
    return energy_distance.p_value(
        np.asarray(before, float), np.asarray(now, float), num_permutations=num_permutations, seed=0
    )


def test_of_samples_alike_p_is_below_a_tenth_in_a_tenth_of_all_cases():
    noise = np.random.default_rng(0)
    found = [_p(noise.exponential(1, (40, 8)), noise.exponential(1, (25, 8))) for _ in range(300)]
    # 30 are expected; fewer than 15 or more than 48 come by once in a thousand times.
    assert 15 <= sum(p <= 0.1 for p in found) <= 48


def test_the_smallest_p_is_that_of_one_dealing_among_all():
    assert _p([[0.0]] * 20, [[1.0]] * 20, num_permutations=999) == 1 / 1000


def test_the_same_spread_around_another_place_and_another_spread_around_the_same_are_found():
    noise = np.random.default_rng(1)
    before = noise.normal(0, 1, (200, 16))
    assert _p(before, noise.normal(0.3, 1, (100, 16))) == 1 / 200
    assert _p(before, noise.normal(0, 1.5, (100, 16))) == 1 / 200


def test_vectors_that_are_all_one_do_not_differ():
    assert _p(np.ones((5, 2)), np.ones((3, 2))) == 1


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (np.ones((0, 2)), np.ones((3, 2)), r"of one length; got \(0, 2\) and \(3, 2\)"),
        (np.ones((3, 2)), np.ones((3, 4)), r"of one length; got \(3, 2\) and \(3, 4\)"),
        (np.ones((3, 2)), np.array([[np.nan, 1], [1, 1]]), "finite vectors; 1 of them are not"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, now, message):
    with pytest.raises(ValueError, match=message):
        _p(before, now)

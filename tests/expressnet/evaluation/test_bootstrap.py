import numpy as np
import pytest

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import bootstrap

SETTINGS = EvaluateConfig(num_resamples=400)


def test_every_resample_draws_as_many_groups_as_there_are():
    for drawn in bootstrap.draws(50, 130, seed=0):
        assert drawn.shape[0] == 50
        assert (drawn.sum(axis=0) == 50).all()


def test_the_draws_do_not_depend_on_how_many_come_at_a_time(monkeypatch):
    whole = np.hstack(list(bootstrap.draws(30, 100, seed=4)))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 7)
    np.testing.assert_array_equal(np.hstack(list(bootstrap.draws(30, 100, seed=4))), whole)


def test_a_group_is_drawn_as_often_as_any_other():
    drawn = np.hstack(list(bootstrap.draws(10, 4000, seed=1)))
    np.testing.assert_allclose(drawn.mean(axis=1), 1, atol=0.08)


def test_group_sums_by_hand():
    group_of, num_groups = bootstrap.codes(np.array(["b", "a", "b"]))
    sums = bootstrap.group_sums(np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]), group_of, num_groups)
    np.testing.assert_array_equal(sums, [[2, 5], [20, 50]])


def test_percentiles_by_hand_and_what_is_not_defined_is_left_out():
    spread = np.array([[np.nan, 0.0], [np.nan, 1.0], [np.nan, np.nan]])
    found = bootstrap.interval(np.array([np.nan, 0.5]), spread, confidence=0.5)
    assert found["low"][1] == 0.25
    assert found["high"][1] == 0.75
    assert np.isnan([found["low"][0], found["high"][0]]).all()


def test_a_reflected_interval_lies_below_what_resampling_makes_larger():
    found = bootstrap.reflected(0.10, np.linspace(0.10, 0.20, 1001), confidence=0.8)
    assert found["low"] == pytest.approx(0.01)  # 2 * 0.10 - 0.19
    assert found["high"] == pytest.approx(0.09)  # 2 * 0.10 - 0.11


def test_the_mean_of_a_column_is_over_the_rows_that_count():
    columns = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 1.0]])
    first, second = bootstrap.means(columns, np.arange(3), SETTINGS)
    assert first["value"] == pytest.approx(1 / 3)
    assert (second["value"], second["low"], second["high"]) == (1.0, 1.0, 1.0)


def test_a_difference_of_equal_columns_is_certain():
    column = np.random.default_rng(0).random(40)
    (found,) = bootstrap.differences([(column, column)], np.arange(40), SETTINGS)
    assert found == {"value": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ({"value": 0.5, "low": 0.25, "high": 0.75}, "0.500 (0.250 to 0.750)"),
        ({"value": 0.5, "low": None, "high": None}, "0.500 (no interval)"),
        ({"value": None, "low": None, "high": None}, "not defined"),
    ],
)
def test_a_figure_is_written_with_its_interval(figure, said):
    assert bootstrap.shown(figure) == said
    assert bootstrap.shown({key: [None, value] for key, value in figure.items()}, 1) == said

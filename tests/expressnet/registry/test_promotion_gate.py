import dataclasses

import pytest

from expressnet.config.promote import PromoteConfig
from expressnet.evaluation.comparison import Comparison, Difference
from expressnet.registry import promotion_gate
from tests.made import made_models

CLASSES = ("happy", "sad")
BETTER = Comparison(
    num_rows=3000,
    num_groups=500,
    macro_f1=Difference(0.03, 0.01, 0.05),
    accuracy=Difference(0.03, 0.01, 0.05),
    recall=(Difference(0.05, 0.02, 0.08), Difference(0.01, -0.02, 0.04)),
    calibration_error=Difference(0.0, -0.01, 0.01),
    only_champion_right=100,
    only_challenger_right=190,
    mcnemar_p=1e-7,
    visible_gain=0.021,
)


def _decide(config=None, **changed):
    return promotion_gate.decide(dataclasses.replace(BETTER, **changed), CLASSES, config or PromoteConfig())


def test_a_gain_beyond_the_margin_is_promoted_with_its_evidence():
    promoted, reason = _decide()
    assert promoted
    assert reason == (
        "better than the champion: macro-F1 +0.030 (+0.010 to +0.050) on 3,000 test images of 500 groups; of the 290 "
        "images that one model alone gets right the challenger has 190 (McNemar p = 1e-07)"
    )


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        (PromoteConfig(), {"macro_f1": Difference(0.02, -0.001, 0.041)}),
        (PromoteConfig(), {"macro_f1": Difference(0.02, 0.0, 0.041)}),
        (PromoteConfig(min_gain=0.01), {}),
    ],
    ids=["interval holds 0", "interval touches 0", "margin"],
)
def test_a_gain_that_may_be_noise_is_not_and_the_reason_says_what_would_be_seen(config, changed):
    promoted, reason = _decide(config, **changed)
    assert not promoted
    assert "no proof that it is better" in reason
    assert f"gains from about {config.min_gain + 0.021:.3f} on, smaller ones need more images" in reason
    assert "if the gain is what it seems, about " in reason


def test_the_images_that_a_gain_needs_grow_with_its_square():
    reason = _decide(macro_f1=Difference(0.007, -0.01, 0.024))[1]
    assert "if the gain is what it seems, about 27,000 such images" in reason  # a third of 0.021: nine times 3,000
    reason = _decide(macro_f1=Difference(-0.007, -0.02, 0.01))[1]
    assert reason.endswith("smaller ones need more images, and it would have to be better on them")


@pytest.mark.parametrize(
    ("lacking", "real_faces", "use", "said"),
    [
        ([], True, " ", "intended use is missing; make promote VERSION=v"),
        ([], True, "counting smiles", ""),
        ([], False, "", ""),
        ([], False, "exams", "speaks of exams"),
        (["licence", "figures"], False, "counting smiles", "the model card is incomplete, it lacks licence, figures"),
    ],
)
def test_what_forbids_a_promotion_whatever_the_figures(lacking, real_faces, use, said):
    objection = promotion_gate.objection(lacking, real_faces, "make promote VERSION=v", PromoteConfig(intended_use=use))
    assert said in objection
    assert bool(objection) == bool(said)


def test_a_class_that_surely_lost_too_much_stops_it_and_one_that_may_have_does_not():
    promoted, reason = _decide(recall=(BETTER.recall[0], Difference(-0.1, -0.14, -0.06)))
    assert not promoted
    assert "better in all, but the recall of sad fell by -0.100 (-0.140 to -0.060), more than 0.050" in reason
    assert _decide(recall=(BETTER.recall[0], Difference(-0.1, -0.16, -0.04)))[0]


def test_worse_calibration_stops_it():
    promoted, reason = _decide(calibration_error=Difference(0.05, 0.03, 0.07))
    assert not promoted
    assert "but the calibration error rose by +0.050 (+0.030 to +0.070), more than 0.020" in reason


@pytest.mark.parametrize(
    ("challenger_accuracy", "lowest", "highest"), [(0.65, 0.0, 0.1), (0.72, 0.8, 1.0)], ids=["no better", "better"]
)
def test_noise_is_not_promoted_and_a_gain_is(challenger_accuracy, lowest, highest):
    """A small one; `make drill-promotion` has a thousand tries on 3,000 rows."""
    share, _ = made_models.share_promoted(1000, (0.65, challenger_accuracy), num_tries=40, num_resamples=200)
    assert lowest <= share <= highest

import pytest
from markupsafe import Markup

from expressnet.report import champion_section
from tests.every_page import text
from tests.made import made_answers, made_report

DECISION = {"promoted": False, "reason": "no proof", "model_name": "expressnet-demo", "version": "20260102-11111111"}
CHAMPION = {"version": "20260101-00000000", "promoted_at": "2026-01-01T08:00:00+00:00"}
NOW = "2026-01-02T08:00:00+00:00"


def _evaluated(num_test=210, **facts):
    return champion_section.Evaluated(made_report.evaluation(num_test=num_test, **facts), made_answers.table(num_test))


@pytest.fixture(scope="module")
def own():
    return _evaluated()


def _with_accuracy(evaluated, value):
    metrics = evaluated.figures["metrics"]
    accuracy = {"value": value, "low": value - 0.1, "high": value + 0.1}
    return evaluated._replace(figures={**evaluated.figures, "metrics": {**metrics, "accuracy": accuracy}})


def test_stored_figures_on_the_same_test_images_are_subtracted(own):
    told = text(champion_section.tell(_with_accuracy(own, 0.75), CHAMPION, _with_accuracy(own, 0.5), DECISION, NOW))
    assert f"On {NOW} 20260101-00000000 was champion, since {CHAMPION['promoted_at']}. Not promoted: no proof." in told
    assert "0.750 (0.650 to 0.850) 0.500 (0.400 to 0.600) +0.250 (no interval)" in told
    assert "Like with like: both were measured on the same frozen test images (210, digest" in told


def test_the_paired_difference_is_shown_where_the_champion_predicted_anew(own):
    gains = {
        "gain_value": 0.1,
        "gain_low": -0.02,
        "gain_high": 0.2,
        "accuracy_gain_value": 0.3,
        "accuracy_gain_low": 0.2,
        "accuracy_gain_high": 0.4,
    }
    told = text(champion_section.tell(own, CHAMPION, _evaluated(280), DECISION | gains, NOW))
    assert "+0.100 (-0.020 to +0.200)" in told
    assert "+0.300 (+0.200 to +0.400)" in told


def test_figures_on_other_test_images_are_not_subtracted_and_the_page_says_why(own):
    other = _evaluated(280)
    shared = len(set(own.predictions["sha256"]) & set(other.predictions["sha256"]))
    told = text(champion_section.tell(own, CHAMPION, other, DECISION, NOW))
    assert told.count("not known") == 2
    assert "not like with like: this model was measured on 210 test images (digest" in told
    assert "the champion on 280 (digest" in told
    assert f"), {shared:,} of them the same" in told


def test_another_label_makes_other_test_data(own):
    rows = own.predictions.copy()
    rows.loc[0, "label"] = next(name for name in made_answers.CLASSES if name != rows.loc[0, "label"])
    told = champion_section.tell(own, CHAMPION, own._replace(predictions=rows), DECISION, NOW)
    assert "not like with like" in told
    assert "210 of them the same" in told


def test_another_protocol_is_not_like_with_like(own):
    paper = own._replace(figures=own.figures | {"protocol": "paper"})
    told = text(champion_section.tell(own, CHAMPION, paper, DECISION, NOW))
    assert "not like with like: this model's protocol is honest, the champion's paper" in told


def test_nobody_oneself_and_a_damaged_champion_are_said(own):
    def told(*facts):
        return text(champion_section.tell(own, *facts, NOW))

    promoted = DECISION | {"promoted": True, "reason": "the first"}
    assert "expressnet-demo had no champion. Promoted: the first." in told(None, "", promoted)
    itself = CHAMPION | {"version": DECISION["version"]}
    assert "this model was champion itself" in told(itself, own, DECISION)
    damaged = told(CHAMPION, "x.json is not what was registered", DECISION)
    assert "Its figures can't be known: x.json is not what was registered" in damaged


def test_the_page_of_evaluate_says_where_to_look_and_is_filled_once():
    page = made_report.page()
    assert "The champion is not named here" in page
    filled = champion_section.fill(page, Markup("<p>told</p>"))
    assert filled.count("<p>told</p>") == 1
    assert "The champion is not named here" not in filled
    assert "Confusion matrix" in filled
    anew = Markup("<p>anew</p>")
    assert champion_section.fill(filled, anew) == champion_section.fill(page, anew)


def test_a_page_without_the_place_becomes_one_of_the_champion_alone():
    page = champion_section.fill("<!doctype html><p>old</p>", Markup("<p>told</p>"))
    assert "<p>told</p></main>" in page
    assert "<p>old</p>" not in page

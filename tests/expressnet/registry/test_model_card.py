import copy

import pytest

from expressnet.evaluation import bootstrap
from expressnet.registry import model_card
from expressnet.runtime import storage


@pytest.fixture(scope="module")
def facts(trained, evaluated):
    """An evaluation and the provenance of its model."""
    return storage.read_json(evaluated[0] / "evaluation.json"), storage.read_json(trained[0] / "provenance.json")


def _card(facts, **changed):
    evaluation, provenance = facts
    return model_card.markdown(
        "expressnet-folder 20260101-00000000",
        evaluation,
        {**provenance, **changed},
        {"dataset_digest": "d" * 64, "lock_digest": ""},
    )


def test_it_has_all_that_a_reader_must_know(facts):
    text, evaluation = _card(facts), facts[0]
    for title in ("Figures", "Data", "Protocol", "Backbone", "Intended use", "What it must not be used for", "Limits"):
        assert f"\n## {title}\n" in text
    assert f"| accuracy | {bootstrap.shown(evaluation['metrics']['accuracy'])} |" in text
    assert "Licence: ours." in text
    assert "trained from scratch" in text
    assert "Art. 5(1)(f)" in text
    assert f"| dataset digest | {'d' * 64} |\n| lock digest | not recorded |" in text
    recall = evaluation["metrics"]["recall"]["value"]
    assert f"It misses {evaluation['classes'][recall.index(min(recall))]} most" in text


def test_it_changes_with_the_facts(facts):
    assert "It has seen no real face" in _card(facts, real_faces=False)
    real = _card(facts, real_faces=True)
    assert "Its pictures show real people." in real
    assert "no real face" not in real
    assert "started from pretrained weights: VGGFace2" in _card(facts, backbone_weights="VGGFace2 (sha256 ab12)")
    assert "optimistic: selected on the test split" in _card(facts, protocol="paper")


def test_a_whole_set_of_facts_lacks_nothing(facts):
    assert model_card.missing(*facts) == []


def test_what_a_set_of_facts_lacks_is_named(facts):
    evaluation, provenance = copy.deepcopy(facts[0]), {**facts[1], "licence": "", "real_faces": None}
    del evaluation["metrics"]["macro_f1"]["low"]
    evaluation["num_test"] = 0
    assert model_card.missing(evaluation, provenance) == [
        "licence",
        "whether the faces are of real people",
        "test images",
        "macro f1",
    ]
    assert "figures" in model_card.missing({}, {})


def test_a_name_that_came_with_the_data_stays_text(facts):
    text = _card(facts, licence="free | <img src=x onerror=alert(1)> [click](http://x) `rm`\n# hello")
    assert r"free \| \<img src=x onerror=alert(1)\> \[click\](http://x) \`rm\` # hello" in text

import pytest

from expressnet.evaluation import paper_results

RUN = {"dataset_id": "fer2013", "protocol": "paper", "num_test": 7_000}


def test_like_is_compared_with_like():
    figures, reason = paper_results.compare(RUN)
    assert figures == {"accuracy": 0.6466, "macro_precision": 0.6786, "macro_recall": 0.5862, "macro_f1": 0.6058}
    assert reason == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dataset_id": "affectnet7@official"}, "no figures on affectnet7@official"),
        ({"protocol": "honest"}, "chose its epoch on the test split"),
        ({"num_test": 3_549}, "has 7,178 images and this one 3,549"),
    ],
)
def test_unlike_is_not_compared_and_the_reason_is_said(change, why):
    figures, reason = paper_results.compare(RUN | change)
    assert figures == {}
    assert why in reason

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score


def test_every_figure_can_be_computed_again_from_the_predictions(evaluated):
    folder, report = evaluated
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == report["num_test"]
    assert report["accuracy"] == pytest.approx(accuracy_score(predictions["label"], predictions["predicted"]))
    macro_f1 = f1_score(predictions["label"], predictions["predicted"], average="macro", zero_division=0)
    assert report["macro_f1"] == pytest.approx(macro_f1)
    np.testing.assert_allclose([row.sum() for row in predictions["probabilities"]], 1, rtol=1e-5)


def test_an_interval_holds_its_figure(evaluated):
    _, report = evaluated
    for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1"):
        assert report[f"{name}_low"] <= report[name] <= report[f"{name}_high"]


def test_people_are_resampled_whole(evaluated):
    evaluation = json.loads((evaluated[0] / "evaluation.json").read_text())
    assert evaluation["num_groups"] < evaluation["num_test"]
    assert np.array(evaluation["confusion"]).sum() == evaluation["num_test"]


def test_the_page_asks_the_network_for_nothing_and_names_the_protocol(evaluated):
    page = (evaluated[0] / "report.html").read_text()
    assert "http" not in page
    assert "protocol honest" in page
    assert "optimistic" not in page
    assert page.count("<img") == page.count("alt=") == 4

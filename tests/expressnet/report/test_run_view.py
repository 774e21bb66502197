import json

import numpy as np
import pytest
from kfp import dsl

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import metric_suite
from expressnet.report import run_view
from tests.made import made_answers


@pytest.fixture(scope="module")
def evaluation():
    settings = EvaluateConfig(num_resamples=100)
    tables = made_answers.table(210), made_answers.table(70, seed=1, split="val")
    found = metric_suite.of(*tables, made_answers.CLASSES, made_answers.TOP_K, settings)
    return {**found, "classes": made_answers.CLASSES}


def _logged(view):
    headline, confusion, roc = dsl.Metrics(), dsl.ClassificationMetrics(), dsl.ClassificationMetrics()
    headline.metadata.update(view.headline)
    confusion.log_confusion_matrix(*view.confusion)
    roc.log_roc_curve(*view.roc)
    # As strict as what reads it: NaN and infinity are refused.
    return [json.loads(json.dumps(one.metadata, allow_nan=False)) for one in (headline, confusion, roc)]


def test_the_run_view_gets_figures_matrix_and_curve(evaluation, tmp_path):
    view = run_view.of(evaluation)
    headline, confusion, roc = _logged(view)
    assert headline["accuracy"] == evaluation["metrics"]["accuracy"]["value"]
    assert headline["num_dropped_not_finite"] == 0
    rows = confusion["confusionMatrix"]["rows"]
    assert [row["row"] for row in rows] == evaluation["confusion"]
    assert len(roc["confidenceMetrics"]) <= 101
    paths = [tmp_path / name for name in ("headline", "confusion", "roc")]
    run_view.leave_files(view, *map(str, paths))
    assert all(path.stat().st_size for path in paths)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_what_is_no_number_is_dropped_and_counted(evaluation, bad):
    figures_with = {**evaluation["metrics"], "roc_auc": {"value": bad}, "log_loss": {"value": bad}}
    curve = [(0.0, 0.0, bad), *evaluation["roc_all"][1:]]
    view = run_view.of({**evaluation, "metrics": figures_with, "roc_all": curve})
    headline, _, roc = _logged(view)
    assert {"roc_auc", "log_loss"}.isdisjoint(headline)
    assert headline["num_dropped_not_finite"] == 2
    assert len(roc["confidenceMetrics"]) == len(evaluation["roc_all"]) - 1

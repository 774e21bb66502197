import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from expressnet.config.evaluate import EvaluateConfig
from expressnet.data import manifest
from expressnet.evaluation import labelled_predictions
from expressnet.runtime import storage
from expressnet.stages import evaluate


def test_every_figure_can_be_computed_again_from_the_predictions(evaluated):
    folder, report = evaluated
    stored = json.loads((folder / "evaluation.json").read_text())
    again = evaluate.recompute(folder, EvaluateConfig())
    assert {name: stored[name] for name in again} == again
    assert {"metrics", "confusion", "slices", "experts", "label_noise", "roc", "temperature"} <= set(again)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == report["num_test"]
    assert report["accuracy"] == pytest.approx(accuracy_score(predictions["label"], predictions["predicted"]))
    macro_f1 = f1_score(predictions["label"], predictions["predicted"], average="macro", zero_division=0)
    assert report["macro_f1"] == pytest.approx(macro_f1)
    np.testing.assert_allclose([row.sum() for row in predictions["probabilities"]], 1, rtol=1e-5)


def test_the_test_predictions_hold_test_rows_only_and_the_val_predictions_val_rows(evaluated, crops_and_split):
    frame = manifest.read(crops_and_split[1])
    for name, file_name in (("test", evaluate.PREDICTIONS_FILE), ("val", evaluate.VAL_FILE)):
        rows = pd.read_parquet(evaluated[0] / file_name)
        assert set(rows["sha256"]) == set(frame.loc[frame["split"] == name, "sha256"])
        assert set(rows["split"]) == {name}
        for mixture in labelled_predictions.MIXTURES.values():
            assert (
                labelled_predictions.matrix(rows[f"{mixture}_gates"]).shape
                == labelled_predictions.matrix(rows[f"{mixture}_without"]).shape
            )


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
    assert 'class="photo"' not in page  # nobody asked for pictures


@pytest.fixture
def write_split(crops_and_split, tmp_path):
    """`write(allowed, keep)`: the split with a licence that allows pictures or not, and with some of its rows."""

    def write(allowed, keep=("train", "val", "test")):
        folder = tmp_path / "split"
        folder.mkdir()
        frame = manifest.read(crops_and_split[1])
        manifest.write(frame[frame["split"].isin(keep)], folder, manifest.SPLIT)
        info = storage.read_json(f"{crops_and_split[1]}/split.json")
        info["crops"]["dataset"]["pictures_allowed"] = allowed
        storage.write_json(folder / "split.json", info)
        return str(folder)

    return write


@pytest.mark.parametrize("allowed", [True, False])
def test_pictures_are_shown_where_asked_for_and_allowed(trained, crops_and_split, write_split, tmp_path, allowed):
    settings = EvaluateConfig(pictures=True, num_pictures=2, num_resamples=100)
    out = tmp_path / "evaluation"
    evaluate.run(str(trained[0]), crops_and_split[0], write_split(allowed), str(out), str(tmp_path), settings)
    page = (out / "report.html").read_text()
    assert page.count('class="photo"') == (2 if allowed else 0)
    assert ("does not allow them here" in page) != allowed


def test_without_a_validation_split_there_is_no_temperature(trained, crops_and_split, write_split, tmp_path):
    settings, out = EvaluateConfig(num_resamples=100), tmp_path / "evaluation"
    split = write_split(False, keep=("train", "test"))
    evaluate.run(str(trained[0]), crops_and_split[0], split, str(out), str(tmp_path), settings)
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert evaluation["temperature"] is None
    assert "calibration_error_tempered" not in evaluation["metrics"]
    assert not (out / evaluate.VAL_FILE).exists()
    assert evaluate.recompute(out, settings)["temperature"] is None


def test_an_empty_test_split_is_refused(trained, crops_and_split, write_split, tmp_path):
    split = write_split(False, keep=("train", "val"))
    with pytest.raises(ValueError, match="is empty: there is nothing to measure on"):
        evaluate.run(str(trained[0]), crops_and_split[0], split, str(tmp_path / "out"), str(tmp_path), EvaluateConfig())

"""What Kubeflow's front end reads of every artifact, and that it is there."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl

from components.evaluate import evaluate
from expressnet.runtime import storage
from expressnet.runtime import workspace as folders
from pipelines import catalog

SHOWN = {
    ("evaluate", "headline_metrics"): "system.Metrics",
    ("evaluate", "confusion_matrix"): "system.ClassificationMetrics",
    ("evaluate", "roc"): "system.ClassificationMetrics",
    ("evaluate", "report"): "system.HTML",
    ("validate", "validation_report"): "system.HTML",
    ("crop", "crop_report"): "system.HTML",
    ("summary", "run_summary"): "system.Markdown",
}


@pytest.mark.parametrize("place", SHOWN, ids=".".join)
def test_what_is_shown_hangs_on_its_step_under_a_name_for_people(place):
    step, name = place
    outputs = catalog.load("train").pipeline_spec.components[f"comp-{step}"].output_definitions.artifacts
    assert outputs[name].artifact_type.schema_title == SHOWN[place]


@pytest.fixture(scope="module")
def shown(trained, crops_and_split, tmp_path_factory):
    """The artifacts of a real evaluation, as the component leaves them."""
    folder = tmp_path_factory.mktemp("shown")
    faces, splits = crops_and_split
    crops = folders.crops_store(folder) / "made"
    crops.parent.mkdir()
    crops.symlink_to(faces)
    outputs = {
        "evaluation": dsl.Artifact,
        "headline_metrics": dsl.Metrics,
        "confusion_matrix": dsl.ClassificationMetrics,
        "roc": dsl.ClassificationMetrics,
        "report": dsl.HTML,
    }
    artifacts = {name: kind(name=name, uri=str(folder / name)) for name, kind in outputs.items()}
    evaluate.python_func(
        model=dsl.Model(uri=str(trained[0])),
        crops=crops.name,
        splits=dsl.Dataset(uri=str(splits)),
        model_digest="m",
        split_digest="s",
        code_digest="c",
        pictures=False,
        workspace=str(folder),
        **artifacts,
    )
    return artifacts


def test_headline_metrics_are_plain_numbers(shown):
    figures = shown["headline_metrics"].metadata
    assert {"accuracy", "macro_precision", "macro_recall", "macro_f1", "roc_auc"} < set(figures)
    assert all(type(value) is float and math.isfinite(value) for value in figures.values())


def test_the_confusion_matrix_has_a_row_of_counts_for_every_class(shown):
    matrix = shown["confusion_matrix"].metadata["confusionMatrix"]
    names = [spec["displayName"] for spec in matrix["annotationSpecs"]]
    assert names == storage.read_json(f"{shown['evaluation'].path}/evaluation.json")["classes"]
    rows = [row["row"] for row in matrix["rows"]]
    assert [len(row) for row in rows] == [len(names)] * len(names)
    assert all(type(count) is int for row in rows for count in row)
    assert sum(map(sum, rows)) == shown["evaluation"].metadata["num_test"]


def test_the_roc_curve_climbs_from_nothing_to_all_with_thresholds_that_fall(shown):
    points = shown["roc"].metadata["confidenceMetrics"]
    curve = np.array([[p["falsePositiveRate"], p["recall"], p["confidenceThreshold"]] for p in points])
    assert len(curve) <= 101
    assert np.isfinite(curve).all()
    assert curve[0, :2].tolist() == [0, 0]
    assert curve[-1, :2].tolist() == [1, 1]
    assert (np.diff(curve[:, :2], axis=0) >= 0).all()
    assert (np.diff(curve[:, 2]) <= 0).all()


def test_all_metadata_is_json_and_every_artifact_has_a_file(shown):
    for name in ("headline_metrics", "confusion_matrix", "roc"):
        json.dumps(shown[name].metadata, allow_nan=False)
        assert storage.read_json(shown[name].path)


def test_the_report_is_one_small_page_that_loads_nothing(shown):
    page = Path(shown["report"].path).read_text()
    assert page.lower().lstrip().startswith("<!doctype html")
    assert len(page) < 3_000_000
    assert "http" not in page

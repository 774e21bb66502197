"""`make compile PROFILE=`: the IR for a cluster, and the same as Kubernetes resources."""

import pytest
import yaml

from pipelines import catalog
from pipelines.__main__ import main


@pytest.fixture
def folder(tmp_path, monkeypatch, strangers_checkout):
    """Where things are compiled to, with tags allowed because no image has been built here."""
    monkeypatch.setenv("ALLOW_TAGS", "1")
    return tmp_path


def test_with_a_profile_the_resources_lie_beside_the_ir_and_hold_the_same(folder, capsys):
    assert main(["compile", "--profile", "gke-l4x4", "--out", str(folder)]) == 0
    written = capsys.readouterr().out.split()
    names = [name for pipeline in catalog.NAMES for name in (f"{pipeline}.yaml", f"{pipeline}.resources.yaml")]
    assert written == [str(folder / "gke-l4x4" / name) for name in names]
    ir, platform = yaml.safe_load_all((folder / "gke-l4x4" / "train.yaml").read_text())
    pipeline, version = yaml.safe_load_all((folder / "gke-l4x4" / "train.resources.yaml").read_text())
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert pipeline["metadata"] == {"name": "expressnet-train", "namespace": "expressnet"}
    assert version["metadata"]["name"].startswith("expressnet-train-")
    assert version["spec"]["pipelineName"] == "expressnet-train"
    assert version["spec"]["pipelineSpec"] == ir
    assert version["spec"]["platformSpec"] == platform
    for executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        # What runs of it are about is not known yet.
        assert set(executor["podMetadata"]["labels"]) == {"expressnet/stage", "expressnet/step-class"}


def test_without_a_profile_there_is_no_platform(folder):
    assert main(["compile", "--out", str(folder)]) == 0
    assert len(list(yaml.safe_load_all((folder / "train.yaml").read_text()))) == 1


def test_tags_are_refused_for_a_cluster(folder, capsys, monkeypatch):
    monkeypatch.delenv("ALLOW_TAGS")
    assert main(["compile", "--profile", "cpu", "--out", str(folder)]) == 1
    assert "must be pinned as name@sha256:" in capsys.readouterr().err
    assert list(folder.iterdir()) == []

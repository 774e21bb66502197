"""Every artifact: what is written comes back, and what can't be read is refused by name."""

import importlib
import json
import pkgutil

import pytest

from expressnet import artifacts
from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo, Finding
from expressnet.artifacts.evaluation import Evaluation
from expressnet.artifacts.provenance import Preprocess, Provenance
from expressnet.artifacts.split_info import SplitInfo
from expressnet.artifacts.stored import VERSION_KEY, Stored

DATASET = DatasetInfo(
    dataset_id="made",
    dataset_digest="d" * 64,
    classes=["happy", "sad"],
    published_counts={"train": {"happy": 3}},
    findings=[Finding(kind="missing files", count=2, examples=["a.jpg"])],
    colours=[[0.5, 0.5]] * 3,
)
CROPS = CropsInfo(crops_digest="c" * 64, config={"mode": "aligned"}, dataset=DATASET)
EXAMPLES = {
    "dataset": DATASET,
    "crops": CROPS,
    "split": SplitInfo(protocol="honest", split_digest="s" * 64, crops=CROPS, counts={"train": {"happy": 1}}),
    "provenance": Provenance(
        dataset="demo", dataset_id="demo", dataset_digest="d", split_digest="s", protocol="honest", config={"seed": 1}
    ),
    "preprocess": Preprocess(size_px=48, crop={"mode": "whole"}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_written_comes_back(tmp_path, name):
    EXAMPLES[name].write(tmp_path)
    assert type(EXAMPLES[name]).read(tmp_path) == EXAMPLES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_facts_are_the_same_bytes(tmp_path, name):
    written = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        EXAMPLES[name].write(folder)
        written.append(type(EXAMPLES[name]).path(folder).read_bytes())
    assert written[0] == written[1]


def test_a_file_of_before_there_were_versions_is_read(tmp_path):
    old = {"dataset_id": "demo", "dataset_digest": "d", "classes": ["happy"], "a_key_of_then": 1}
    (tmp_path / "dataset.json").write_text(json.dumps(old))
    assert DatasetInfo.read(tmp_path).classes == ["happy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"dataset_id": "demo", "classes": [', "dataset.json is not valid JSON .*was it edited or cut off"),
        ("[1]", "dataset.json must hold names and values; got a list"),
        ('{"schema_version": 2}', "must be of version 1 or older; got 2. It was written by a newer ExpressNet"),
        ('{"schema_version": "x"}', "must be of version 1 or older; got 'x'"),
        ('{"dataset_id": "demo"}', "does not hold what a DatasetInfo needs: dataset_digest: field required"),
        (
            '{"dataset_id": "demo", "dataset_digest": "d", "classes": "happy"}',
            "classes: input should be a valid list; got 'happy'",
        ),
    ],
    ids=["torn", "no object", "newer", "no version", "incomplete", "another type"],
)
def test_what_can_not_be_read_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        DatasetInfo.read(tmp_path)


def test_bytes_that_are_no_text_are_refused_by_name(tmp_path):
    (tmp_path / "dataset.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ValueError, match="dataset.json is no"):
        DatasetInfo.read(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="split.json must be there, and is not"):
        SplitInfo.read(tmp_path)


def test_a_message_never_quotes_more_than_the_beginning_of_a_value(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"dataset_id": ["x" * 500], "dataset_digest": "", "classes": []}))
    with pytest.raises(ValueError, match="dataset_id") as raised:
        DatasetInfo.read(tmp_path)
    assert "x" * 50 not in str(raised.value)


def test_preprocess_has_no_version_because_its_bytes_are_part_of_the_model_digest(tmp_path):
    EXAMPLES["preprocess"].write(tmp_path)
    assert VERSION_KEY not in json.loads(Preprocess.path(tmp_path).read_text())


def test_figures_that_only_pages_know_survive(tmp_path, evaluated):
    stored = Evaluation.read(evaluated[0])
    stored.write(tmp_path)
    assert json.loads(Evaluation.path(tmp_path).read_text()) == json.loads(Evaluation.path(evaluated[0]).read_text())


def test_no_two_artifacts_of_a_folder_share_a_file_name():
    for module in pkgutil.iter_modules(artifacts.__path__):
        importlib.import_module(f"expressnet.artifacts.{module.name}")
    names = [cls.FILE for cls in _all(Stored) if hasattr(cls, "FILE") and cls.__name__ != "ErasedCrops"]
    assert len(names) == len(set(names))


def _all(cls):
    return {each for child in cls.__subclasses__() for each in (child, *_all(child))}

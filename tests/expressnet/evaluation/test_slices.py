import numpy as np
import pytest

from expressnet.config.evaluate import EvaluateConfig
from expressnet.evaluation import slices
from tests.made import made_answers

SETTINGS = EvaluateConfig(num_resamples=200)


def _of(answers, right, settings=SETTINGS):
    labels = np.zeros(len(answers), int)
    return slices.of(answers, labels, np.where(right, 0, 1), 2, settings)


def _slice(found, attribute, name):
    return next(one for one in found["slices"] if (one["attribute"], one["name"]) == (attribute, name))


@pytest.fixture
def answers():
    return made_answers.table(300)


def test_a_slice_by_hand(answers):
    is_street = answers["source_uri"].str.startswith("street").to_numpy()
    found = _of(answers, np.where(is_street, np.arange(300) % 2 == 0, True))
    street = _slice(found, "source", "street")
    assert street["num_rows"] == 100
    assert street["accuracy"]["value"] == 0.5
    assert street["accuracy"]["low"] < 0.5 < street["accuracy"]["high"]
    assert _slice(found, "source", "studio")["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    names = [one["name"] for one in found["slices"] if one["attribute"] == "brightness"]
    assert names[0].startswith("below")
    assert names[2].endswith("and more")
    gap = next(one for one in found["gaps"] if one["attribute"] == "source")
    assert (gap["best"], gap["worst"], gap["value"]) == ("studio", "street", 0.5)
    assert found["slices"][found["worst"]] == street


def test_every_attribute_has_its_slices(answers):
    found = {name: sorted(set(values) - {""}) for name, values in slices.attributes(answers).items()}
    assert found["face"] == ["found", "not found"]
    assert found["gender"] == ["a", "b"]
    assert found["face turned"] == ["ahead", "to the left", "to the right"]
    assert [len(found[name]) for name in ("face width, px", "brightness", "sharpness")] == [3, 3, 3]


def test_thirds_hold_a_third_each_and_faces_that_were_not_found_have_no_size(answers):
    sizes = slices.attributes(answers)["face width, px"]
    assert (sizes == "").sum() == (~answers["face_found"]).sum()
    counts = sizes[sizes != ""].value_counts()
    assert counts.max() - counts.min() <= 1


def test_small_slices_say_so_and_are_not_compared(answers):
    answers["attributes"] = ['{"age": "old"}'] * 29 + ['{"age": "young"}'] * 271
    found = _of(answers, np.arange(300) >= 29)  # every old face is wrong
    assert _slice(found, "age", "old")["too_few"]
    assert not _slice(found, "age", "young")["too_few"]
    assert "age" not in {one["attribute"] for one in found["gaps"]}
    assert found["slices"][found["worst"]]["name"] != "old"


def test_pictures_of_one_kind_have_no_slices(answers):
    answers = answers.assign(
        face_found=True, face_width=20.0, yaw=0.0, brightness=9.0, sharpness=9.0, source_uri="a/1.jpg", attributes=""
    )
    assert _of(answers, np.ones(300, bool)) == {"slices": [], "gaps": [], "worst": -1}


@pytest.mark.parametrize(
    ("uri", "label", "source"),
    [
        ("train/happy/a.jpg", "happy", "train"),
        ("fer2013.csv row 7", "happy", "fer2013.csv"),
        ("a.jpg", "sad", ""),
    ],
)
def test_a_source_is_the_folder_or_table_without_the_class(uri, label, source):
    answers = made_answers.table(40).assign(source_uri=[uri, "elsewhere/b.jpg"] * 20, label=label)
    named = slices.attributes(answers).get("source")
    assert (named is None) if not source else set(named) == {source, "elsewhere"}

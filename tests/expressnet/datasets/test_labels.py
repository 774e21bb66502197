import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet.datasets import labels


@pytest.mark.parametrize(
    ("spelling", "meant"),
    [
        ("happy", "happy"),
        ("Happy", "happy"),
        (" SURPRISED\n", "surprise"),
        ("angry", "anger"),
        ("fearful", "fear"),
        ("contempt", "contempt"),
        ("smile", None),
        ("happy faces", None),
        ("", None),
    ],
)
def test_a_spelling_means_one_class_or_none(spelling, meant):
    assert labels.canonical(spelling) == meant


@pytest.mark.parametrize("alias", sorted(labels.ALIASES))
def test_every_alias_means_a_known_class_and_is_none_itself(alias):
    assert labels.canonical(alias) in labels.CLASSES_8
    assert alias not in labels.CLASSES_8


def test_seven_classes_are_eight_without_contempt_in_the_same_order():
    assert [name for name in labels.CLASSES_8 if name != "contempt"] == list(labels.CLASSES_7)


@given(st.permutations(labels.CLASSES_8), st.integers(0, 8))
def test_the_order_of_the_classes_is_the_models_whatever_order_they_come_in(shuffled, count):
    ordered = labels.class_order(shuffled[:count])
    assert set(ordered) == set(shuffled[:count])
    assert list(ordered) == sorted(ordered, key=labels.CLASSES_8.index)


def test_the_known_spellings_are_listed_once_each():
    shown = labels.describe_known()
    assert shown.startswith("anger (angry), contempt, disgust (disgusted), sad (sadness)")
    words = shown.replace("(", "").replace(")", "").split(", ")
    assert len(words) == len(set(words))
    assert {word for group in words for word in group.split()} == {*labels.CLASSES_8, *labels.ALIASES}

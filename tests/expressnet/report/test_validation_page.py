import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from expressnet.report import validation_page
from expressnet.report.validation_page import Distributions
from tests.made.planted_defects import INFO

EVIL = "<script>alert(1)</script>"


def _rows(**columns):
    defaults = {"label": "happy", "source_split": "train", "problem": "", "width": 48, "height": 48, "brightness": 99.0}
    return pd.DataFrame(defaults | columns, index=range(4))


def _of(*parts):
    return Distributions.of(lambda columns: (part[columns] for part in parts))


def test_readable_images_are_counted_in_parts_as_in_one():
    rows = _rows(
        label=["happy", "sad", "sad", "sad"],
        source_split=["train", "test", "test", "none"],
        brightness=[0.0, 8.0, 255.0, 7.9],
        width=[32, 8, 60_000, 32],
        height=[32, 8, 60_000, 31],
        problem=["", "", "", "damaged image"],
    )
    whole, parts = _of(rows), _of(rows[:1], rows[1:3], rows[3:])
    assert whole.by_class(["happy", "sad"]).to_dict() == {
        "test": {"happy": 0, "sad": 2},
        "train": {"happy": 1, "sad": 0},
    }
    assert np.flatnonzero(whole.brightness).tolist() == [0, 1, 31]
    assert np.flatnonzero(whole.sides).tolist() == [0, 4, 23]  # 8 px, 32 px, and all above 16,384 px
    assert whole.classes == parts.classes
    assert (whole.sides == parts.sides).all()


@pytest.fixture
def info():
    """dataset.json of two classes with colours."""
    facts = dict.fromkeys(validation_page._FACTS, 0)
    flat = [[1 / 32] * 32] * 3
    return facts | INFO.as_dict() | {"dataset": "d", "colours": flat}


def _check(**more):
    return {"title": "t", "result": "passed", "finding": "all"} | more


def test_names_that_came_from_the_data_stay_text(info):
    info |= {"classes": [EVIL, "$x^2_{$", "sad"], "layout": EVIL, "dataset": EVIL, "dataset_id": EVIL}
    found = _of(_rows(label=[EVIL, "$x^2_{$", "sad", "sad"], source_split=EVIL))
    page = validation_page.render(info, [_check(result="stop", finding=f"1 against it: {EVIL}")], found, info)
    assert "<script" not in page
    # title, heading, id, layout, finding, class, split and the colours' line
    assert page.count(escape(EVIL)) == 8
    assert "<td>FAILED</td>" in page


def test_a_page_of_many_classes_and_findings_stays_small(info):
    names = [f"class {number:04d} {'x' * 80}" for number in range(1000)]
    found = _of(*(_rows(label=name) for name in names))
    page = validation_page.render(info | {"classes": names}, [_check(finding="y" * 10_000)] * 30, found)
    assert len(page.encode()) < 3_000_000


def test_without_colours_and_images_the_page_says_so(info):
    page = validation_page.render(info | {"colours": []}, [], _of(_rows().iloc[:0]))
    assert "Ingest it again" in page


def test_mean_colours_are_shown(info):
    dark = [[1.0] + [0.0] * 31] * 3
    page = validation_page.render(info, [], _of(_rows()), info | {"dataset_id": "e@2", "colours": dark})
    assert "<td>d@1 abababab</td><td>128.000</td><td>128.000</td><td>128.000</td>" in page
    assert "<td>e@2 abababab</td><td>4.000</td><td>4.000</td><td>4.000</td>" in page

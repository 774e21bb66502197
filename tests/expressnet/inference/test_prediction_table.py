import math

import numpy as np
import pyarrow as pa
import pytest

from expressnet.inference import prediction_table


def _content(**problems):
    rows = [{"sha256": sha256, "problem": problem, "score": 0.5} for sha256, problem in problems.items()]
    return pa.Table.from_pylist(rows, schema=prediction_table.CONTENT)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([1, 0, 0, 0], 0.0), ([0.25] * 4, math.log(4)), ([0.5, 0.5, 0, 0], math.log(2))],
    ids=["certain", "even", "one of two"],
)
def test_entropy_is_zero_when_certain_and_largest_when_even(probabilities, expected):
    assert prediction_table.entropy(np.array([probabilities]))[0] == pytest.approx(expected)


def test_chunks_go_on_where_another_process_stopped(tmp_path):
    prediction_table.Chunks(tmp_path / "work").add([{"sha256": "a", "problem": ""}])
    later = prediction_table.Chunks(tmp_path / "work")
    later.add([{"sha256": "b", "problem": "damaged image"}])
    assert later.read()["sha256"].to_pylist() == ["a", "b"]
    assert prediction_table.read_content([]).num_rows == 0


def test_every_file_gets_the_row_of_its_bytes_and_the_later_of_two(tmp_path):
    content = pa.concat_tables([_content(a="it takes too long", b=""), _content(a="")])
    files = ["1", "2", "3", "4", "5"]
    seen = [("a", ""), ("b", ""), ("a", ""), ("", "gone"), ("", "forgotten")]
    table = prediction_table.of_files(files, seen, content)
    assert table["file"].to_pylist() == files
    assert table["sha256"].to_pylist() == ["a", "b", "a", "", ""]
    assert table["problem"].to_pylist() == ["", "", "", "gone", "forgotten"]


def test_a_table_says_what_it_is_about(tmp_path):
    prediction_table.write(_content(a=""), tmp_path / "table.parquet", {"classes": ["happy", "sad"]})
    assert prediction_table.about(tmp_path / "table.parquet") == {"classes": ["happy", "sad"]}

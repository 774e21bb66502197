from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from expressnet.commands import matrix
from expressnet.config.evaluate import EvaluateConfig


def _split(parts, sha256s="abcd", pixels=("1", "2", "3", "")):
    rows = pd.DataFrame({"sha256": list(sha256s), "pixel_sha256": list(pixels), "split": parts, "label": "happy"})
    return matrix.TestSet("demo", "d" * 64, Path("unused"), rows)


def test_what_a_model_was_made_with_is_found_by_file_and_by_pixels():
    own = _split(["train", "val", "test", "train"])
    other = _split(["test"] * 4, "axyz", ("9", "2", "3", ""))
    # The first is the same file, the second the same pixels as a val row; the third was in its test split only.
    np.testing.assert_array_equal(matrix._seen(other.rows, own), [True, True, False, False])
    np.testing.assert_array_equal(matrix._seen(other.rows, None), [False] * 4)


def test_a_cell_without_two_shared_classes_says_why():
    class Sad:
        classes = ("sad", "happy")

    cell = matrix._cell(Sad(), _split(["test"] * 4), None, Path("unused"), EvaluateConfig())
    assert "4 rows of 1 shared classes" in cell["reason"]
    assert "nothing to tell apart" in matrix._page([{"model": "m", "test_set": "t", **cell}])


def test_without_a_test_split_the_way_to_name_one_is_said(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="name one with DATA=<output of split>"):
        matrix.run([trained[0]], [], tmp_path, tmp_path / "out", EvaluateConfig())

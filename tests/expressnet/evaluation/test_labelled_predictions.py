import numpy as np
import pandas as pd

from expressnet.evaluation import labelled_predictions
from expressnet.imaging import fingerprint


def _rows(subjects, hashes, pixels):
    return pd.DataFrame({"subject": subjects, "phash": hashes, "pixel_sha256": pixels})


def test_people_and_near_duplicates_are_one_group_handed_on():
    digits = fingerprint.HASH_BITS // 4
    far, near, nearer = "0" * digits, "f" * digits, "f" * (digits - 1) + "e"
    pixels = [f"{place:064x}" for place in range(1, 6)]
    found = labelled_predictions.groups(_rows(["p1", "p1", "", "", "p2"], [far, near, nearer, "", ""], pixels))
    # The first two are one person, the third is nearly the picture of the second.
    assert found[0] == found[1] == found[2]
    assert len({found[0], found[3], found[4]}) == 3


def test_an_answer_that_is_no_number_says_nothing():
    found = labelled_predictions.finite(np.array([[0.9, 0.1], [np.nan, 0.3], [np.inf, 0.0]]))
    np.testing.assert_array_equal(found, [[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]])

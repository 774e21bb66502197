import json

import numpy as np

from expressnet.evaluation import json_values


def test_what_is_no_number_is_dropped_and_named_wherever_it_is():
    figures = {"a": np.float32("nan"), "b": [1.0, float("inf")], "c": {"d": np.array([[-np.inf, 2.0]])}, "e": "nan"}
    kept, dropped = json_values.plain(figures)
    assert kept == {"a": None, "b": [1.0, None], "c": {"d": [[None, 2.0]]}, "e": "nan"}
    assert dropped == ["a", "b[1]", "c.d[0][0]"]


def test_types_of_numpy_become_those_of_json():
    kept, dropped = json_values.plain({"n": np.int64(3), "f": np.float64(0.5), "b": np.bool_(True), "t": (1, 2)})
    assert json.dumps(kept) == '{"n": 3, "f": 0.5, "b": true, "t": [1, 2]}'
    assert dropped == []
    assert json_values.known({"a": np.float64("nan"), "b": np.int32(2)}) == {"b": 2.0}

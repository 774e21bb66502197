import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expressnet.config.split import SplitConfig
from expressnet.data import grouped_draw, seen_rows
from expressnet.data.split_file import SPLITS
from expressnet.runtime import storage
from expressnet.stages import split

CLASSES = ("anger", "happy", "sad")


def _rows(num_people, **changes):
    """Every person shows every class twice."""
    people, numbers = np.repeat(np.arange(num_people), 6), np.arange(num_people * 6)
    frame = pd.DataFrame(
        {
            "sha256": [storage.bytes_sha256(b"%d" % number) for number in numbers],
            "label": [CLASSES[number % 3] for number in numbers],
            "source_split": "none",
            "subject": [f"p{person}" for person in people],
            "pixel_sha256": [storage.bytes_sha256(b"pixels %d" % number) for number in numbers],
            "phash": "",
        }
    )
    return frame.assign(**changes)


def _assign(frame, kept=None, **changes):
    rows = grouped_draw.read(pa.Table.from_pandas(frame, preserve_index=False).to_batches(), len(frame))
    return np.array(SPLITS)[split.assign(rows, SplitConfig(**changes), kept)]


def _parts(before, num_rows):
    """What an earlier split makes of the rows of a larger data set."""
    parts = np.full(num_rows, seen_rows.NEW, np.int8)
    parts[: len(before)] = np.where(before == "test", seen_rows.TESTED, seen_rows.SEEN)
    return parts


def test_a_file_tells_rows_apart_and_whom_it_is_of(tmp_path):
    path, digest = seen_rows.write(tmp_path, "20260101-0123abcd", ["a", "b"], ["c"])
    kept = seen_rows.read(path, digest, [pa.array(["x", "c"]), pa.array([], pa.string()), pa.array(["a"])])
    assert kept.version == "20260101-0123abcd"
    assert kept.parts.tolist() == [seen_rows.NEW, seen_rows.TESTED, seen_rows.SEEN]
    assert seen_rows.write(tmp_path, "20260101-0123abcd", ["b", "a"], ["c"]) == (path, digest)


def test_a_file_that_was_edited_is_refused(tmp_path):
    path, _ = seen_rows.write(tmp_path, "v", ["a"], [])
    with pytest.raises(ValueError, match=r"must have the SHA-256 0000.*; got .*Was it edited"):
        seen_rows.read(path, "0" * 64, [])


@pytest.mark.parametrize("seed", range(5))
def test_a_larger_data_set_is_never_tested_on_what_the_earlier_model_saw(seed):
    before = _assign(_rows(20), seed=seed)
    after = _assign(_rows(50), _parts(before, 300), seed=seed)
    assert set(after[:120][before == "test"]) == {"test"}
    assert "test" not in after[:120][before != "test"]
    # A fifth of the new people, whole ones.
    assert (after[120:] == "test").sum() == 36
    assert all(len({"test"} & set(person)) == 0 or set(person) == {"test"} for person in after.reshape(50, 6))


def test_without_it_a_drawn_split_tests_on_them():
    before = _assign(_rows(20))
    assert "test" in _assign(_rows(50))[:120][before != "test"]


def test_a_new_picture_of_a_tested_person_is_tested_and_of_another_trained_on():
    before = _assign(_rows(20))
    tested = _rows(20)["subject"][before == "test"].iloc[0]
    seen = _rows(20)["subject"][before == "train"].iloc[0]
    more = _rows(21).assign(subject=[*_rows(20)["subject"], *[tested, seen] * 3])
    after = _assign(more, _parts(before, 126))
    assert after[120:126:2].tolist() == ["test"] * 3
    assert not {"test"} & set(after[121:126:2])


def test_too_few_new_pictures_are_trained_on():
    before = _assign(_rows(20))
    more = pd.concat([_rows(20), _rows(21).iloc[120:122]])
    after = _assign(more, _parts(before, 122))
    assert "test" not in after[120:]


def test_a_published_test_split_needs_no_other():
    published = np.where(np.arange(300) % 5 == 0, "test", "train")
    frame = _rows(50, source_split=published, subject="")
    before = np.full(120, "train")
    assert _assign(frame, _parts(before, 300)).tolist() == _assign(frame).tolist()

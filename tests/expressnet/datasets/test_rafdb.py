from collections import Counter

import pytest

from expressnet.datasets import labels, rafdb
from tests import look_alikes


def _found(source):
    return {finding.kind: finding.count for finding in source.findings}


@pytest.mark.parametrize(
    ("write", "layout"),
    [
        (look_alikes.rafdb_official, "official, Image/aligned"),
        (look_alikes.rafdb_kaggle, "Kaggle, DATASET/{train,test}/<1..7>"),
    ],
)
def test_both_layouts_are_read_with_their_published_split(scan, tmp_path, write, layout):
    source = scan("rafdb", write(tmp_path, 2, 1))
    assert (source.dataset_id, source.layout, source.classes) == ("rafdb", layout, labels.CLASSES_7)
    counts = Counter((record.source_split, record.label) for record in source.records)
    assert counts == {(split, label): n for split, n in (("train", 2), ("test", 1)) for label in labels.CLASSES_7}
    assert source.findings == ()


@pytest.mark.parametrize("code", range(1, 8))
def test_a_code_is_the_published_class(scan, tmp_path, code):
    published = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
    look_alikes.put(tmp_path / "EmoLabel/list_patition_label.txt", f"train_00001.jpg {code}\n")
    look_alikes.put(tmp_path / "Image/aligned/train_00001_aligned.jpg", b"picture")
    (record,) = scan("rafdb", tmp_path).records
    assert (record.label, record.read()) == (published[code - 1], b"picture")


def test_gender_race_and_age_come_with_the_picture(scan, tmp_path):
    record = scan("rafdb", look_alikes.rafdb_official(tmp_path, 1, 1)).records[0]
    assert record.uri == "Image/aligned/train_00001_aligned.jpg"
    assert record.attributes == {"gender": "female", "race": "Caucasian", "age": "20-39"}


def test_the_originals_are_read_where_there_are_no_aligned_pictures(scan, tmp_path):
    root = look_alikes.rafdb_official(tmp_path, 1, 1) / "basic/Image"
    (root / "aligned").rename(root / "original")
    for path in (root / "original").iterdir():
        path.rename(path.with_name(path.name.replace("_aligned", "")))
    source = scan("rafdb", tmp_path)
    assert source.layout == "official, Image/original"
    assert len(source.records) == 14


def test_missing_and_extra_pictures_are_counted_and_named(scan, tmp_path):
    aligned = look_alikes.rafdb_official(tmp_path, 1, 1) / "basic/Image/aligned"
    (aligned / "train_00003_aligned.jpg").rename(aligned / "train_00099_aligned.jpg")
    source = scan("rafdb", tmp_path)
    assert _found(source) == {"missing files": 1, "files without a label": 1}
    assert source.findings[0].examples == ("train_00003_aligned.jpg (EmoLabel/list_patition_label.txt line 3)",)


@pytest.mark.parametrize(
    ("write", "table", "place"),
    [
        (look_alikes.rafdb_official, "basic/EmoLabel/list_patition_label.txt", "EmoLabel/list_patition_label.txt line"),
        (look_alikes.rafdb_kaggle, "train_labels.csv", "train_labels.csv line"),
    ],
)
def test_a_row_that_comes_twice_is_counted_and_its_picture_is_one_example(scan, tmp_path, write, table, place):
    path = write(tmp_path, 1, 1) / table
    lines = path.read_text().rstrip("\n").split("\n")
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    source = scan("rafdb", tmp_path)
    assert (len(source.records), _found(source)) == (14, {"rows that came before": 1})
    assert f"({place} {len(lines) + 1})" in source.findings[0].examples[0]


def test_the_csv_wins_over_the_folder_and_it_is_counted(scan, tmp_path):
    look_alikes.rafdb_kaggle(tmp_path, 1, 1)
    table = tmp_path / "train_labels.csv"
    table.write_text(table.read_text().replace("train_00001_aligned.jpg,1", "train_00001_aligned.jpg,4"))
    source = scan("rafdb", tmp_path)
    assert source.records[0].label == "happy"
    assert _found(source) == {"folder and csv disagree; the csv counts": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00001.jpg 8", r"line 1: expected a name like train_00001\.jpg and a code 1\.\.7; got .* and '8'"),
        ("img_1.jpg 3", r"line 1: expected a name like .* got 'img_1\.jpg'"),
        ("train_00001.jpg", r"line 1: expected `train_00001\.jpg 5`; got 'train_00001\.jpg'"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(scan, tmp_path, line, message):
    look_alikes.put(tmp_path / "EmoLabel/list_patition_label.txt", line)
    for name in ("train_00001", "img_1"):
        look_alikes.put(tmp_path / f"Image/aligned/{name}_aligned.jpg", b"picture")
    with pytest.raises(ValueError, match=message):
        scan("rafdb", tmp_path)


def test_another_tree_is_refused_with_what_is_there(scan, tmp_path):
    look_alikes.put(tmp_path / "images/a.jpg", b"")
    look_alikes.put(tmp_path / "labels.txt", b"")
    with pytest.raises(
        ValueError, match=r"is not RAF-DB.*found 2 files; at the top: images/, labels\.txt\. Expected one"
    ):
        scan("rafdb", tmp_path)


def test_the_published_counts_are_those_of_the_paper():
    assert [sum(counts.values()) for counts in rafdb.PUBLISHED_COUNTS.values()] == [12_271, 3_068]

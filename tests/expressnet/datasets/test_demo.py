import csv
from collections import Counter

import pytest

from expressnet.datasets import labels
from expressnet.imaging import codec


def _write(root, rows, header=("file", "label", "subject")):
    (root / "images").mkdir()
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    for row in rows:
        if row[0].startswith("images/"):
            (root / row[0]).write_bytes(row[0].encode())
    return str(root)


def test_the_embedded_set_needs_no_address_and_has_every_class_evenly(scan):
    source = scan("demo")
    counts = Counter(record.label for record in source.records)
    assert source.classes == labels.CLASSES_7
    assert set(counts) == set(labels.CLASSES_7)
    assert len(set(counts.values())) == 1
    assert {record.source_split for record in source.records} == {"none"}
    assert codec.inspect(source.records[0].read()).problem == ""


def test_every_person_of_the_embedded_set_shows_every_class_once(scan):
    shown = Counter((record.subject, record.label) for record in scan("demo").records)
    persons = {subject for subject, _ in shown}
    assert "" not in persons
    assert shown == Counter({(person, label): 1 for person in persons for label in labels.CLASSES_7})


def test_a_row_becomes_a_record(scan, tmp_path):
    source = scan("demo", _write(tmp_path, [("images/a.jpg", "happy", "p0"), ("images/b.jpg", "sad", "p1")]))
    record = source.records[1]
    assert (record.uri, record.label, record.source_split, record.subject) == ("images/b.jpg", "sad", "none", "p1")
    assert record.read() == b"images/b.jpg"
    assert (source.dataset_id, source.layout) == ("demo", "labels.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("images/a.jpg", "happy", "p0"), ("images/b.jpg", "smile", "p0")], "line 3: label must be one of .* 'smile'"),
        ([("images/a.jpg", "", "p0")], "line 2: label must be one of .* got ''"),
        ([], "must have the columns file,label,subject and at least one row"),
    ],
)
def test_a_bad_table_is_refused(scan, tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        scan("demo", _write(tmp_path, rows))


def test_other_columns_are_refused(scan, tmp_path):
    with pytest.raises(ValueError, match=r"labels\.csv must have the columns file,label,subject"):
        scan("demo", _write(tmp_path, [("images/a.jpg", "happy")], header=("file", "label")))


def test_a_row_that_is_cut_off_is_refused(scan, tmp_path):
    with pytest.raises(ValueError, match="line 2"):
        scan("demo", _write(tmp_path, [("images/a.jpg", "happy")]))


def test_a_missing_picture_is_named_by_its_line(scan, tmp_path):
    with pytest.raises(ValueError, match=r"line 2 names gone\.jpg, but .* holds no such file"):
        scan("demo", _write(tmp_path, [("gone.jpg", "happy", "p0")]))


def test_a_folder_without_the_table_is_named(scan, tmp_path):
    message = r"found no file, it is empty\. Expected one of: labels\.csv \(file,label,subject\)"
    with pytest.raises(ValueError, match=message):
        scan("demo", tmp_path)

import io
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from expressnet.datasets import fer2013, labels

ORDERS = ["emotion,pixels,Usage", "emotion, Usage, pixels"]
FOLDERS = [
    ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"),
]
BLACK = [0] * 48**2
# By emotion code, as published.
COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4830, 3171, 4965],
    "PublicTest": [467, 56, 496, 895, 653, 415, 607],
}


@pytest.mark.parametrize("header", ORDERS)
@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
@pytest.mark.parametrize("named", ["file", "folder"])
def test_a_csv_is_read_in_both_column_orders(scan, tmp_path, write_fer2013, header, name, named):
    rows = [(3, "Training", BLACK), (0, "PublicTest", [*BLACK[1:], 255]), (6, "PrivateTest", BLACK)]
    path = write_fer2013(tmp_path / name, rows, header)
    source = scan("fer2013", path if named == "file" else tmp_path)
    assert [(record.uri, record.label, record.source_split, record.subject) for record in source.records] == [
        (f"{name} row 1", "happy", "train", ""),
        (f"{name} row 2", "anger", "test", ""),
        (f"{name} row 3", "neutral", "test", ""),
    ]
    assert source.layout == name
    assert source.classes == labels.CLASSES_7
    assert source.dataset_id == "fer2013"
    assert source.records[1].read() == b"P5\n48 48\n255\n" + bytes(48**2 - 1) + b"\xff"


def test_a_csv_of_any_name_is_read_when_it_is_named(scan, tmp_path, write_fer2013):
    assert len(scan("fer2013", write_fer2013(tmp_path / "mine.csv", [(3, "Training", BLACK)])).records) == 1


def test_quotes_carriage_returns_and_blank_lines_do_not_matter(scan, tmp_path):
    pixels = " ".join(map(str, BLACK))
    text = f'"emotion","pixels","Usage"\r\n"3","{pixels}","Training"\r\n\r\n"4","{pixels}","Training"\r\n'
    (tmp_path / "fer2013.csv").write_bytes(text.encode())
    records = scan("fer2013", tmp_path).records
    assert [record.label for record in records] == ["happy", "sad"]
    assert {record.read() for record in records} == {b"P5\n48 48\n255\n" + bytes(48**2)}


@pytest.mark.parametrize("names", FOLDERS)
def test_folders_are_read_in_both_spellings(scan, tmp_path, write_tree, names):
    write_tree(tmp_path, {f"{split}/{name}": 1 for split in ("train", "test") for name in names}, side_px=48)
    source = scan("fer2013", tmp_path)
    assert Counter(record.source_split for record in source.records) == {"train": 7, "test": 7}
    assert source.classes == labels.CLASSES_7
    assert source.dataset_id == "fer2013"


@pytest.mark.parametrize("code", range(7))
def test_a_code_is_the_published_class(scan, tmp_path, write_fer2013, code):
    published = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    source = scan("fer2013", write_fer2013(tmp_path / "fer2013.csv", [(code, "Training", BLACK)]))
    assert source.records[0].label == published[code]


@pytest.mark.parametrize("header", ORDERS)
@pytest.mark.parametrize(
    ("bad_row", "message"),
    [
        ((3, "Training", BLACK[1:]), r"row 2 \(line 3\): expected .* with 2304 pixel values; got 3 fields with 2303"),
        ((3, "Training", [*BLACK, 0]), r"row 2 \(line 3\): .* got 3 fields with 2305 pixel values"),
        ((3, "Training", []), r"row 2 \(line 3\): .* got 3 fields with 0 pixel values"),
        (("3,1", "Training", BLACK), r"row 2 \(line 3\): .* got 4 fields"),
        ((7, "Training", BLACK), r"row 2 \(line 3\): expected an emotion code 0\.\.6 .* got emotion '7' and"),
        ((-1, "Training", BLACK), r"row 2 \(line 3\): .* got emotion '-1' and"),
        (("happy", "Training", BLACK), r"row 2 \(line 3\): .* got emotion 'happy' and"),
        (("", "Training", BLACK), r"row 2 \(line 3\): .* got emotion '' and"),
        ((3, "Test", BLACK), r"row 2 \(line 3\): .* Training, PublicTest, PrivateTest; .* Usage 'Test'"),
        ((3, "", BLACK), r"row 2 \(line 3\): .* Usage ''"),
    ],
)
def test_a_bad_row_is_refused_by_its_number(scan, tmp_path, write_fer2013, header, bad_row, message):
    rows = [(3, "Training", BLACK), bad_row, (4, "Training", BLACK)]
    path = write_fer2013(tmp_path / "fer2013.csv", rows, header)
    with pytest.raises(ValueError, match=rf"fer2013\.csv, {message}"):
        scan("fer2013", path)


@pytest.mark.parametrize("header", ORDERS)
def test_a_file_that_ends_in_the_middle_of_a_row_is_refused(scan, tmp_path, write_fer2013, header):
    path = write_fer2013(tmp_path / "fer2013.csv", [(3, "Training", BLACK)] * 3, header)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ValueError, match=r"row 3 \(line 4\): .* Was the file cut off while copying\?"):
        scan("fer2013", path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (256, r"pixels must be in 0\.\.255; got 0\.\.256"),
        (-1, r"pixels must be in 0\.\.255; got -1\.\.0"),
        ("1.5", "pixels must be whole numbers"),
        ("x", "pixels must be whole numbers"),
        ("9" * 20, "pixels must be"),
    ],
)
def test_a_bad_pixel_is_refused_by_its_row_when_it_is_read(scan, tmp_path, write_fer2013, value, message):
    rows = [(3, "Training", BLACK), (3, "Training", [*BLACK[1:], value])]
    records = scan("fer2013", write_fer2013(tmp_path / "fer2013.csv", rows)).records
    with pytest.raises(ValueError, match=rf"fer2013\.csv, row 2 \(line 3\): {message}"):
        records[1].read()
    assert records[0].read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("emotion,pixels\n3,0 0\n", r"row 1 \(line 2\): expected emotion, pixels with 2304 pixel values"),
        ("pixels\n0 0\n", r"starts with the columns \['pixels'\]"),
        ("emotion,pixels,Usage,Usage\n", r"starts with the columns"),
        ("Usage,Image name,neutral\n", "Is it another data set?"),
        ("", r"starts with the columns \[''\]"),
        ("emotion,pixels,Usage\n", r"has a header but no rows; was it cut off while copying\?"),
    ],
    ids=["train.csv", "test.csv", "a column twice", "FER+", "empty", "header alone"],
)
def test_another_csv_is_refused(scan, tmp_path, text, message):
    (tmp_path / "fer2013.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        scan("fer2013", tmp_path / "fer2013.csv")


def test_a_picture_is_no_csv(scan, tmp_path, write_tree):
    write_tree(tmp_path, {"happy": 1})
    with pytest.raises(ValueError, match=r"000\.png in .* is a file where a class folder was expected"):
        scan("fer2013", tmp_path / "happy" / "000.png")


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        (dict.fromkeys(FOLDERS[0], 1), "found <class>/<image> with"),
        ({"train/happy": 1, "test/happy": 1}, "with the classes happy. Expected one of"),
        ({f"train/{name}": 1 for name in (*FOLDERS[0], "contempt")}, "with the classes anger, contempt, disgust"),
    ],
    ids=["no published split", "classes missing", "a class too many"],
)
def test_folders_of_another_data_set_are_refused(scan, tmp_path, write_tree, counts, found):
    write_tree(tmp_path, counts)
    with pytest.raises(ValueError, match=rf"is not FER-2013, .* as we know it: .*{found}.*DATASET=folder"):
        scan("fer2013", tmp_path)


def test_a_picture_of_known_pixels_decodes_to_them():
    gray = np.arange(48**2, dtype=np.uint16).reshape(48, 48).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(fer2013.encode_pgm(gray)))), gray)


def test_the_real_rows_have_the_published_class_counts(scan, tmp_path, shared_data):
    # The labels of all rows with black pixels: writing and reading the real ones takes ten times as long.
    table = pq.read_table(shared_data / "fer2013_train_public.parquet", columns=["emotion", "usage"]).to_pydict()
    path, black = tmp_path / "fer2013.csv", " ".join(map(str, BLACK))
    with path.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for emotion, usage in zip(table["emotion"], table["usage"], strict=True):
            file.write(f"{emotion},{black},{usage}\n")
    records = scan("fer2013", path).records
    path.unlink()  # 150 MB that pytest would keep
    counts = Counter((record.source_split, record.label) for record in records)
    for usage, by_code in COUNTS.items():
        split = fer2013.USAGES[usage]
        assert [counts[split, label] for label in fer2013.CODES] == by_code


def test_the_real_pixels_come_back(scan, tmp_path, shared_data, write_fer2013):
    batch = next(pq.ParquetFile(shared_data / "fer2013_train_public.parquet").iter_batches(200)).to_pydict()
    pixels = [np.asarray(Image.open(io.BytesIO(png))) for png in batch["png"]]
    rows = [
        (emotion, usage, gray.ravel())
        for emotion, usage, gray in zip(batch["emotion"], batch["usage"], pixels, strict=True)
    ]
    records = scan("fer2013", write_fer2013(tmp_path / "icml_face_data.csv", rows, ORDERS[1])).records
    for record, gray in zip(records, pixels, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(record.read()))), gray)

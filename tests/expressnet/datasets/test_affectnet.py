import io
import shutil
from collections import Counter

import numpy as np
import pytest

from expressnet.datasets import labels
from tests import look_alikes

NAMES = ("Neutral", "happiness", "sad", "surprise", "fear", "disgust", "anger", "contempt")


def _found(source):
    return {finding.kind: finding.count for finding in source.findings}


def _counts(source):
    return Counter((record.source_split, record.label) for record in source.records)


LAYOUTS = {
    "Kaggle": (look_alikes.affectnet_kaggle, "kaggle", {"none": 2}),
    "official, new": (look_alikes.affectnet_official_new, "official", {"train": 2, "test": 2}),
    "official, old": (look_alikes.affectnet_official_old, "official", {"train": 2, "test": 2}),
    "YOLO": (look_alikes.affectnet_yolo, "yolo", {"train": 2, "test": 4}),
    "<0..7 or class>": (look_alikes.affectnet_folders, "folders", {"train": 2, "test": 2}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_recognised_with_its_codes_and_splits(scan, tmp_path, name):
    write, provenance, splits = LAYOUTS[name]
    source = scan("affectnet8", write(tmp_path, 2))
    assert name in source.layout
    assert (source.dataset_id, source.classes) == (f"affectnet8@{provenance}", labels.CLASSES_8)
    assert _counts(source) == {(split, label): n for split, n in splits.items() for label in labels.CLASSES_8}
    assert source.findings == ()
    for record in source.records:  # the pictures themselves say which class they are of
        expected = set(look_alikes.faces(record.label, 6, 128 if "old" in name else 96))
        assert record.read() in expected


@pytest.mark.parametrize("name", LAYOUTS)
def test_seven_classes_leave_contempt_out_and_count_it(scan, tmp_path, name):
    write, provenance, splits = LAYOUTS[name]
    source = scan("affectnet7", write(tmp_path, 2))
    assert (source.dataset_id, source.classes) == (f"affectnet7@{provenance}", labels.CLASSES_7)
    assert _found(source) == {"left out: contempt": sum(splits.values())}


def test_the_csv_wins_over_the_folder_and_it_is_counted(scan, tmp_path):
    table = look_alikes.affectnet_kaggle(tmp_path, 2) / "labels.csv"
    table.write_text(table.read_text().replace("sad/image0000001.jpg,sad", "sad/image0000001.jpg,fear"))
    (tmp_path / "fear/image0000000.jpg").rename(tmp_path / "fear/extra.jpg")
    source = scan("affectnet8", tmp_path)
    assert {record.uri: record.label for record in source.records}["sad/image0000001.jpg"] == "fear"
    assert _found(source) == {
        "folder and csv disagree; the csv counts": 1,
        "missing files": 1,
        "files without a label": 1,
    }


def test_codes_that_are_no_expression_are_dropped_and_counted(scan, tmp_path):
    look_alikes.affectnet_official_new(tmp_path, 1)
    for place, code in enumerate((8, 9, 10)):
        buffer = io.BytesIO()
        np.save(buffer, np.array(str(code)))
        look_alikes.put(tmp_path / f"train_set/annotations/{place}_exp.npy", buffer.getvalue())
    source = scan("affectnet8", tmp_path)
    assert len(source.records) == 13
    assert _found(source) == {
        "left out: code 8 (none)": 1,
        "left out: code 9 (uncertain)": 1,
        "left out: code 10 (no face)": 1,
    }


def test_a_pickled_annotation_is_refused_and_not_run(scan, tmp_path):
    look_alikes.affectnet_official_new(tmp_path, 1)
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return (canary.write_text, ("ran",))

    buffer = io.BytesIO()
    np.save(buffer, np.array(Evil(), dtype=object), allow_pickle=True)
    look_alikes.put(tmp_path / "train_set/annotations/0_exp.npy", buffer.getvalue())
    with pytest.raises(ValueError, match=r"0_exp\.npy must hold one expression code 0\.\.10"):
        scan("affectnet8", tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize("code", ["11", "-1"])
def test_a_code_beyond_the_published_ones_is_refused(scan, tmp_path, code):
    look_alikes.affectnet_official_new(tmp_path, 1)
    buffer = io.BytesIO()
    np.save(buffer, np.array(code))
    look_alikes.put(tmp_path / "val_set/annotations/3_exp.npy", buffer.getvalue())
    with pytest.raises(ValueError, match=rf"val_set/images/3\.jpg has the expression code {code}; codes are 0\.\.10"):
        scan("affectnet8", tmp_path)


@pytest.mark.parametrize("header", [True, False])
def test_the_old_layout_gives_face_boxes_with_and_without_a_header(scan, tmp_path, header):
    source = scan("affectnet8", look_alikes.affectnet_official_old(tmp_path, 1, header))
    assert {record.given_box_xyxy for record in source.records} == {(16, 16, 112, 112)}
    assert len(source.records) == 16


def test_the_old_layout_finds_files_whose_extension_differs_in_case(scan, tmp_path):
    look_alikes.affectnet_official_old(tmp_path, 1)
    path = tmp_path / "Manually_Annotated_Images/3/training0.jpg"
    path.rename(path.with_suffix(".JPG"))
    assert "missing files" not in _found(scan("affectnet8", tmp_path))


def test_folders_may_bear_the_names_of_the_classes(scan, tmp_path):
    source = scan("affectnet8", look_alikes.affectnet_folders(tmp_path, 1, NAMES))
    assert set(_counts(source).values()) == {1}


def test_where_there_is_a_test_folder_val_is_for_training(scan, tmp_path):
    look_alikes.affectnet_folders(tmp_path, 1)
    shutil.copytree(tmp_path / "val", tmp_path / "test")
    splits = {record.uri.split("/")[0]: record.source_split for record in scan("affectnet8", tmp_path).records}
    assert splits == {"train": "train", "val": "train", "test": "test"}


def test_yolo_gives_face_boxes_in_shares_of_the_picture(scan, tmp_path):
    look_alikes.affectnet_yolo(tmp_path, 1)
    look_alikes.put(tmp_path / "train/labels/0_0.txt", "0 0.3 0.5 0.4 0.5\n")
    look_alikes.put(tmp_path / "train/labels/1_0.txt", "1 0.1 0.95 0.25 0.125\n")
    boxes = {record.uri: record.given_box_shares for record in scan("affectnet8", tmp_path).records}
    assert boxes["train/images/0_0.jpg"] == pytest.approx((0.1, 0.25, 0.5, 0.75))
    assert boxes["train/images/1_0.jpg"] == pytest.approx((0.0, 0.8875, 0.225, 1.0))


@pytest.mark.parametrize("cells", ["0.5 0.5 0.9", "40 52 90 90", "0.5 0.5 0 0.2", "x 0.5 0.9 0.9", "nan 0.5 0.9 0.9"])
def test_a_yolo_line_without_a_box_is_refused(scan, tmp_path, cells):
    look_alikes.affectnet_yolo(tmp_path, 1)
    look_alikes.put(tmp_path / "train/labels/0_0.txt", f"0 {cells}\n")
    with pytest.raises(ValueError, match=r"train/labels/0_0\.txt: expected `class cx cy w h`"):
        scan("affectnet8", tmp_path)


def test_pictures_of_several_faces_are_left_out_of_yolo_and_counted(scan, tmp_path):
    look_alikes.affectnet_yolo(tmp_path, 1)
    look_alikes.put(tmp_path / "train/labels/0_0.txt", "0 0.5 0.5 0.9 0.9\n1 0.2 0.2 0.1 0.1\n")
    look_alikes.put(tmp_path / "train/labels/1_0.txt", "")
    source = scan("affectnet8", tmp_path)
    assert _found(source) == {"left out: pictures of several faces": 1, "files without a label": 1}


def test_a_folder_around_everything_does_not_matter(scan, tmp_path):
    look_alikes.affectnet_kaggle(tmp_path / "archive" / "AffectNet", 1)
    assert len(scan("affectnet8", tmp_path).records) == 8


def test_another_tree_is_refused_with_the_layouts(scan, tmp_path):
    look_alikes.put(tmp_path / "a/b/c/d.jpg", b"")
    with pytest.raises(
        ValueError, match=r"is not AffectNet, 7 classes as we know it: found 1 files.*Expected one of: lab"
    ):
        scan("affectnet7", tmp_path)

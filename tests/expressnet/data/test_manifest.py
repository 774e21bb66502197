import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expressnet.data import manifest
from expressnet.runtime import storage


def _rows(count=4):
    return pd.DataFrame(
        {
            "sha256": [storage.bytes_sha256(b"%d" % number) for number in range(count)],
            "label": "happy",
            "source_split": "train",
            "subject": [f"p{number}" for number in range(count)],
            "source_uri": [f"happy/{number}.png" for number in range(count)],
            "generation": "",
            "given_box_xyxy": [()] * count,
            "target": [()] * count,
            "attributes": "",
            "copies": 1,
            "bytes": 100,
            "format": "PNG",
            "width": 48,
            "height": 40,
            "problem": "",
            "pixel_sha256": "",
            "phash": "",
            "brightness": 0.0,
            "contrast": 0.0,
            "sharpness": 0.0,
            "shard": "0.tar",
            "offset": 512,
            "size": 100,
        }
    )


def test_rows_come_back_as_they_were_sorted_by_sha256(tmp_path):
    rows = _rows()
    manifest.write(rows, tmp_path, manifest.INGESTED)
    found = manifest.read(tmp_path)
    expected = rows.sort_values("sha256").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert list(found.columns) == manifest.INGESTED.names


def test_the_order_of_rows_and_columns_does_not_change_the_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rows = _rows()
    manifest.write(rows, tmp_path / "a", manifest.INGESTED)
    manifest.write(rows.iloc[::-1, ::-1], tmp_path / "b", manifest.INGESTED)
    files = [(tmp_path / name / manifest.FILE_NAME).read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_the_columns_of_crop_and_split_come_back(tmp_path):
    boxes = [[-1, -2, 3, 4]] * 4
    rows = _rows().assign(
        face_found=True, num_faces=2, score=0.5, box_xyxy=boxes, angle_deg=0, face_width=2, yaw=0, split="val"
    )
    manifest.write(rows, tmp_path, manifest.SPLIT)
    found = manifest.read(tmp_path)
    assert [list(box) for box in found["box_xyxy"]] == boxes
    assert set(found["split"]) == {"val"}
    assert found["face_found"].all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_rows().drop(columns=["label", "bytes"]), r"missing \['bytes', 'label'\], unknown \[\]"),
        (_rows().assign(age=30), r"missing \[\], unknown \['age'\]"),
        (pd.concat([_rows(), _rows(1)]), f"primary key of a manifest, but {storage.bytes_sha256(b'0')} stands twice"),
    ],
    ids=["missing columns", "an unknown column", "a sha256 twice"],
)
def test_rows_that_are_no_manifest_are_refused(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        manifest.write(rows, tmp_path, manifest.INGESTED)
    assert not list(tmp_path.iterdir())


def test_a_row_without_a_label_is_refused(tmp_path):
    rows = _rows()
    rows.loc[1, "label"] = None
    with pytest.raises(ValueError, match="label.*non-nullable"):
        manifest.write(rows, tmp_path, manifest.INGESTED)


def test_a_folder_without_a_manifest_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no manifest\.parquet; is it the output of another stage\?"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "version"), [({"expressnet_manifest_version": "0"}, "0"), (None, "none")], ids=["older", "foreign"]
)
def test_a_manifest_of_another_version_is_refused(tmp_path, metadata, version):
    table = pa.table({"sha256": ["0" * 64]}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / manifest.FILE_NAME)
    with pytest.raises(ValueError, match=f"has manifest version {version}; this code reads version 3"):
        manifest.read(tmp_path)


@given(st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_change_the_digest(order):
    rows = _rows(6)
    shuffled = rows.iloc[order].reset_index(drop=True)
    assert manifest.digest(shuffled, manifest.DATASET_COLUMNS) == manifest.digest(rows, manifest.DATASET_COLUMNS)


@pytest.mark.parametrize("column", manifest.DATASET_COLUMNS)
def test_every_column_of_the_content_changes_the_digest(column):
    rows = _rows()
    changed = rows.copy()
    changed.loc[2, column] = "f" * 64 if column == "sha256" else "sad" if isinstance(rows[column][2], str) else 7
    assert manifest.digest(changed, manifest.DATASET_COLUMNS) != manifest.digest(rows, manifest.DATASET_COLUMNS)


@pytest.mark.parametrize("column", ["source_uri", "shard", "offset"])
def test_where_the_bytes_lie_is_no_part_of_the_digest(column):
    rows = _rows()
    moved = rows.assign(**{column: rows[column] * 2})
    assert manifest.digest(moved, manifest.DATASET_COLUMNS) == manifest.digest(rows, manifest.DATASET_COLUMNS)


def test_a_value_in_another_row_is_another_digest():
    rows = _rows(2)
    swapped = rows.assign(subject=list(rows["subject"])[::-1])
    assert manifest.digest(swapped, manifest.DATASET_COLUMNS) != manifest.digest(rows, manifest.DATASET_COLUMNS)


def test_rows_read_back_have_the_digest_of_those_written(tmp_path):
    rows = _rows(2).assign(target=[(0.1, 0.9), ()], given_box_xyxy=[(), (1, 2, 3, 4)])
    manifest.write(rows, tmp_path, manifest.INGESTED)
    digests = [manifest.digest(frame, manifest.DATASET_COLUMNS) for frame in (rows, manifest.read(tmp_path))]
    assert digests[0] == digests[1]


def test_a_class_index_is_the_labels_place_in_the_given_order():
    rows = _rows(3).assign(label=["sad", "anger", "sad"])
    assert manifest.class_indices(rows, ["anger", "happy", "sad"]).tolist() == [2, 0, 2]


def test_a_row_aims_at_its_own_probabilities_or_at_its_label():
    rows = _rows(2).assign(label=["sad", "anger"], target=[(), (0.75, 0.25)])
    assert manifest.targets(rows, ["anger", "sad"]).tolist() == [[0, 1], [0.75, 0.25]]

"""A split that one laboratory writes and another reads."""

import contextlib

import numpy as np
import pytest

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.split_info import SplitInfo
from expressnet.config.split import SplitConfig
from expressnet.data import manifest, split_file
from expressnet.runtime import storage
from expressnet.sources import bucket, mirror
from expressnet.stages import split
from tests.made import object_store


@pytest.fixture(scope="module")
def rows(crops_and_split):
    """Rows of three classes, sorted: the first two are the same picture, the next two show one person."""
    rows = manifest.read(crops_and_split[0]).assign(subject="", phash="")
    rows.loc[1, "pixel_sha256"] = rows.loc[0, "pixel_sha256"]
    rows.loc[[2, 3], "subject"] = "anna"
    return rows


def _split(folder, rows, name="out", dataset=(), **changes):
    """Splits rows as if crop had left them so."""
    faces = folder / f"{name}-faces"
    faces.mkdir()
    manifest.write(rows, faces, manifest.CROPPED)
    facts = {"dataset_id": "made", "dataset_digest": "d" * 64, "classes": [], "num_subjects": 1, **dict(dataset)}
    CropsInfo(crops_digest="c" * 64, config={}, dataset=DatasetInfo(**facts)).write(faces)
    return split.run(str(faces), str(folder / name), SplitConfig(**changes)).plain()


def _parts(folder):
    return manifest.read(folder).set_index("sha256")["split"]


@pytest.fixture
def exported(tmp_path, rows):
    """The file of a split of `rows`."""
    _split(tmp_path, rows)
    return tmp_path / "out" / split_file.FILE_NAME


def _import(tmp_path, rows, path, **changes):
    return _split(tmp_path, rows, "imported", split_file=str(path), **changes)


def _move(path, sha256, part):
    """Puts a row into another part."""
    lines = [f"{sha256},{part}" if line.startswith(sha256) else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("protocol", ["honest", "paper"])
def test_another_laboratory_gets_the_same_split_from_the_file(tmp_path, rows, protocol):
    exported = _split(tmp_path, rows, seed=7, protocol=protocol)
    # It has the same bytes in other files, knows no subjects and would draw with another seed.
    elsewhere = rows.assign(subject="", source_uri="x").sample(frac=1, random_state=1)
    imported = _import(tmp_path, elsewhere, tmp_path / "out" / split_file.FILE_NAME, protocol=protocol)
    assert imported["split_digest"] == exported["split_digest"]
    assert (imported["seed"], imported["imported"], exported["imported"]) == (7, True, False)
    assert (_parts(tmp_path / "imported") == _parts(tmp_path / "out")).all()
    files = [tmp_path / name / split_file.FILE_NAME for name in ("out", "imported")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_file_says_what_it_is_and_holds_nothing_but_hashes_and_parts(tmp_path, rows):
    report = _split(tmp_path, rows)
    lines = (tmp_path / "out" / split_file.FILE_NAME).read_text().splitlines()
    assert lines[:6] == [
        "# ExpressNet split, version 1",
        f"# dataset_digest: {'d' * 64}",
        "# protocol: honest",
        "# seed: 52",
        f"# split_digest: {report['split_digest']}",
        "sha256,split",
    ]
    assert lines[6:] == [f"{key},{part}" for key, part in _parts(tmp_path / "out").items()]


def test_a_file_of_another_data_set_is_refused_with_the_rows_on_either_side(tmp_path, rows):
    _split(tmp_path, rows[2:])
    absent = rows["sha256"].iloc[-5]
    message = (
        f"2 rows are here but not in the file \\({rows['sha256'][0]}, {rows['sha256'][1]}\\); 5 rows are in the file "
        f"but not here \\({absent}, .*, \\.\\.\\.\\). Its data set is {'d' * 16}, this one {'e' * 16}"
    )
    with pytest.raises(ValueError, match=message):
        _import(tmp_path, rows[:-5], tmp_path / "out" / split_file.FILE_NAME, dataset={"dataset_digest": "e" * 64})
    assert not (tmp_path / "imported").exists()


def test_rows_that_are_forgotten_here_or_were_dropped_there_need_not_be_here(tmp_path, rows):
    rows = rows.assign(source_split=np.where(rows.index % 4 == 0, "test", "train"))
    assert _split(tmp_path, rows)["num_dropped"] == 1  # the twin of the first row
    path = tmp_path / "out" / split_file.FILE_NAME
    assert _import(tmp_path, rows.drop(1), path)["num_test"] == 18
    without_two = rows.drop([1, 5])
    with pytest.raises(ValueError, match="1 rows are in the file but not here"):
        _split(tmp_path, without_two, "refused", split_file=str(path))
    report = _split(tmp_path, without_two, "forgotten", dataset={"num_forgotten": 1}, split_file=str(path))
    assert (report["num_test"], report["num_train"] + report["num_val"]) == (18, 52)


@pytest.mark.parametrize("first", [0, 2], ids=["near-duplicates", "images of one subject"])
def test_a_file_that_tears_a_group_apart_is_refused_with_its_rows(tmp_path, rows, exported, first):
    one, other = rows["sha256"][first], rows["sha256"][first + 1]
    _move(exported, one, "test")
    _move(exported, other, "train")
    with pytest.raises(ValueError, match=f"in several splits: 2 rows \\({one} in test, {other} in train\\)"):
        _import(tmp_path, rows, exported)


def test_a_file_that_trains_on_published_test_rows_is_refused(tmp_path, rows, exported):
    parts = _parts(tmp_path / "out")
    published = rows.assign(source_split=np.where(parts == "test", "test", "train"))
    assert _import(tmp_path, published, exported)["official_test"] is True
    moved = parts.index[parts == "test"][0]
    _move(exported, moved, "train")
    with pytest.raises(ValueError, match=f"another test split than the published one: 1 rows \\({moved} in train\\)"):
        _split(tmp_path, published, "refused", split_file=str(exported))


def test_a_file_that_leaves_a_part_without_a_class_is_refused(tmp_path, rows, exported):
    parts = _parts(tmp_path / "out")
    for sha256 in rows["sha256"][(rows["label"] == "sad") & (parts == "val").to_numpy()]:
        _move(exported, sha256, "train")
    with pytest.raises(ValueError, match="The split 'val' would hold no example of sad"):
        _import(tmp_path, rows, exported)


def test_other_labels_or_an_edited_file_are_told_by_the_digest(tmp_path, rows, exported):
    with pytest.raises(ValueError, match="has the right rows, but with the labels here its digest is"):
        _import(tmp_path, rows.assign(label=rows["label"].replace("sad", "fear")), exported)


def test_a_file_of_another_protocol_is_refused(tmp_path, rows, exported):
    with pytest.raises(ValueError, match="a split by the protocol honest, but PROTOCOL=paper"):
        _import(tmp_path, rows, exported, protocol="paper")


def test_a_file_that_changed_since_the_run_was_started_is_refused(tmp_path, rows, exported):
    digest = storage.file_sha256(exported)
    assert _import(tmp_path, rows, exported, split_file_digest=digest)["imported"]
    exported.write_text(exported.read_text() + "\n")
    with pytest.raises(ValueError, match="changed after the run was started"):
        _split(tmp_path, rows, "late", split_file=str(exported), split_file_digest=digest)


@pytest.fixture
def in_bucket(exported, monkeypatch):
    """The address of a copy of `exported` in a bucket of a server on this machine."""
    with object_store.running() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        with contextlib.closing(bucket.client()) as client:
            client.create_bucket("splits")
        assert mirror.put(exported, "gs://splits/ours.csv")
        yield "gs://splits/ours.csv"


def test_a_file_in_a_bucket_is_as_good_as_one_here_and_its_digest_is_checked(tmp_path, rows, exported, in_bucket):
    right = storage.file_sha256(exported)
    report = _import(tmp_path, rows, in_bucket, split_file_digest=right)
    assert report["split_digest"] == storage.read_json(tmp_path / "out" / SplitInfo.FILE)["split_digest"]
    with pytest.raises(ValueError, match=r"^gs://splits/ours.csv changed after the run was started"):
        _split(tmp_path, rows, "late", split_file=in_bucket, split_file_digest="0" * 64)
    with pytest.raises(ValueError, match=r"There is no object gs://splits/theirs.csv"):
        _split(tmp_path, rows, "absent", split_file="gs://splits/theirs.csv")


def test_where_the_file_lies_is_no_part_of_what_the_split_is(tmp_path, rows, exported):
    _import(tmp_path, rows, exported)
    assert str(tmp_path) not in (tmp_path / "imported" / SplitInfo.FILE).read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1:], "is not an exported split: it needs the line '# ExpressNet split, version 1'"),
        (lambda lines: lines[:3] + lines[4:], "is not an exported split"),
        (lambda lines: [*lines[:5], "hash,part", *lines[6:]], "has 'hash,part'"),
        (lambda lines: lines[:6], "holds no row"),
        (lambda lines: [*lines[:8], "abc,train", *lines[8:]], "line 9: a SHA-256 has 64 lower-case .*; got abc"),
        (lambda lines: [*lines[:8], lines[8][:64] + ",dev", *lines[9:]], "line 9: a split is one of .*; got dev"),
        (lambda lines: [*lines[:9], lines[8], *lines[9:]], "line 10: [0-9a-f]{64} stands twice"),
        (lambda lines: [*lines[:8], lines[9], lines[8], *lines[10:]], "line 10: [0-9a-f]{64} comes after a larger one"),
        (lambda lines: [*lines[:8], lines[8] + ",1", *lines[9:]], "can't be read"),
        (lambda lines: [], "is not an exported split"),
    ],
    ids=[
        "no title",
        "no seed",
        "other columns",
        "no rows",
        "no hash",
        "no part",
        "twice",
        "unsorted",
        "three fields",
        "empty",
    ],
)
def test_what_is_no_exported_split_is_refused_with_the_line(tmp_path, rows, exported, change, message):
    exported.write_text("".join(f"{line}\n" for line in change(exported.read_text().splitlines())))
    with pytest.raises(ValueError, match=message):
        _import(tmp_path, rows, exported)


def test_a_file_that_is_not_there_is_said_so(tmp_path, rows):
    with pytest.raises(FileNotFoundError, match=r"SPLIT_FILE=.*nowhere.csv is not a file. Is it the split.csv"):
        _import(tmp_path, rows, tmp_path / "nowhere.csv")

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from expressnet.artifacts.crops_info import CropsInfo
from expressnet.artifacts.dataset_info import DatasetInfo
from expressnet.artifacts.split_info import SplitInfo
from expressnet.config.split import SplitConfig
from expressnet.data import grouped_draw, manifest, split_file
from expressnet.runtime import storage
from expressnet.stages import split

CLASSES = ("anger", "happy", "sad")


def _rows(count, classes=CLASSES, num_subjects=0, source_split="none"):
    """So many examples; class and person go round, so that every person shows every class."""
    numbers = np.arange(count)
    return pd.DataFrame(
        {
            "sha256": [storage.bytes_sha256(b"%d" % number) for number in numbers],
            "label": [classes[number % len(classes)] for number in numbers],
            "source_split": source_split,
            "subject": [f"p{number // len(classes) % num_subjects}" if num_subjects else "" for number in numbers],
            "pixel_sha256": [storage.bytes_sha256(b"pixels %d" % number) for number in numbers],
            "phash": "",
        }
    )


def _read(frame):
    return grouped_draw.read(
        pa.Table.from_pandas(frame, preserve_index=False).to_batches(max_chunksize=100), len(frame)
    )


def _assign(frame, **changes):
    return np.array(split_file.SPLITS)[split.assign(_read(frame), SplitConfig(**changes))]


def _draw(frame, fraction, seed):
    rows = _read(frame)
    return grouped_draw.draw(rows.labels, rows.classes, rows.groups, fraction, seed)


def _counts(assigned):
    return {name: int((assigned == name).sum()) for name in ("train", "val", "test")}


def _write_faces(folder, rows, **dataset):
    """Writes the output of crop for these rows."""
    folder.mkdir()
    filled = rows.assign(
        source_uri=rows["sha256"],
        generation="",
        given_box_xyxy=[()] * len(rows),
        target=[()] * len(rows),
        attributes="",
        copies=1,
        bytes=1,
        format="PNG",
        width=1,
        height=1,
        problem="",
        shard="0.tar",
        offset=512,
        size=1,
        face_found=True,
        num_faces=1,
        score=1.0,
        box_xyxy=[[0, 0, 1, 1]] * len(rows),
        angle_deg=0.0,
        face_width=1.0,
        yaw=0.0,
        brightness=100.0,
        contrast=20.0,
        sharpness=5.0,
    )
    manifest.write(filled, folder, manifest.CROPPED)
    num_subjects = int(rows["subject"].nunique())
    facts = {"dataset_id": "made", "dataset_digest": "d" * 64, "classes": list(CLASSES), "num_subjects": num_subjects}
    CropsInfo(crops_digest="c" * 64, config={}, dataset=DatasetInfo(**{**facts, **dataset})).write(folder)
    return str(folder)


def test_honest_splits_in_three_and_keeps_the_proportions_of_the_classes():
    rows = _rows(300)
    assigned = _assign(rows)
    assert _counts(assigned) == {"train": 216, "val": 24, "test": 60}  # a fifth, and a tenth of the rest
    for name, per_class in (("train", 72), ("val", 8), ("test", 20)):
        assert rows["label"][assigned == name].value_counts().to_dict() == dict.fromkeys(CLASSES, per_class)


def test_paper_splits_in_two_without_val():
    assert _counts(_assign(_rows(300), protocol="paper")) == {"train": 240, "val": 0, "test": 60}


def test_paper_draws_images_and_not_persons():
    rows = _rows(300, num_subjects=10)
    is_test = _assign(rows, protocol="paper") == "test"
    assert set(rows["subject"][is_test]) & set(rows["subject"][~is_test])


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("honest", {"train": 81, "val": 9, "test": 30}), ("paper", {"train": 90, "val": 0, "test": 30})],
)
def test_the_published_test_split_is_kept(protocol, expected):
    rows = _rows(120)
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    assigned = _assign(rows, protocol=protocol)
    assert ((assigned == "test") == (rows["source_split"] == "test")).all()
    assert _counts(assigned) == expected


def test_a_published_train_split_alone_is_drawn_from():
    assert _counts(_assign(_rows(300, source_split="train")))["test"] == 60


def _splits_by_subject(rows, assigned):
    return pd.Series(assigned, rows.index)[rows["subject"] != ""].groupby(rows["subject"]).unique()


@given(st.integers(0, 2**32 - 1), st.integers(12, 40))
@settings(max_examples=25)
def test_no_person_straddles_two_splits(seed, num_subjects):
    noise = np.random.default_rng(seed)
    numbers = noise.integers(0, num_subjects, 300)  # 0 stands for those whom nobody knows
    rows = _rows(300).assign(
        subject=[f"p{number}" if number else "" for number in numbers], label=noise.permutation(CLASSES * 100)
    )
    assigned = _assign(rows, seed=seed)
    assert set(assigned) == {"train", "val", "test"}
    assert all(len(splits) == 1 for splits in _splits_by_subject(rows, assigned))


def test_no_person_of_the_published_test_split_is_trained_on():
    rows = _rows(300, num_subjects=20)
    # The publisher put every second image of two persons into test.
    rows.loc[rows["subject"].isin(["p0", "p1"]) & (rows.index % 2 == 0), "source_split"] = "test"
    assigned = _assign(rows)
    assert set(rows["subject"][assigned == "test"]) == {"p0", "p1"}
    assert not {"p0", "p1"} & set(rows["subject"][np.isin(assigned, ["train", "val"])])


@pytest.mark.parametrize("num_subjects", [0, 30], ids=["by image", "by person"])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.3, 0.4])
def test_about_the_wanted_part_is_drawn(num_subjects, fraction):
    rows = _rows(900, num_subjects=num_subjects)
    drawn = _draw(rows, fraction, seed=1)
    assert drawn.mean() == pytest.approx(fraction, abs=0.02)


def test_persons_are_drawn_whole_and_unknown_ones_by_image():
    rows = _rows(300, num_subjects=30)
    rows.loc[rows.index % 2 == 0, "subject"] = ""
    drawn = _draw(rows, 0.2, seed=1)
    assert rows["subject"][drawn].eq("").any()
    assert all(len(parts) == 1 for parts in _splits_by_subject(rows, drawn))
    assert drawn.mean() == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("num_subjects", [0, 30], ids=["by image", "by person"])
@pytest.mark.parametrize("protocol", ["honest", "paper"])
def test_the_draw_is_a_function_of_the_seed(num_subjects, protocol):
    rows = _rows(300, num_subjects=num_subjects)
    first, again, other = (_assign(rows, protocol=protocol, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@given(st.integers(0, 99), st.booleans())
@settings(max_examples=8)
def test_the_order_of_the_rows_changes_nothing(tmp_path_factory, seed, has_subjects):
    rows = _rows(90, num_subjects=15 if has_subjects else 0)
    root = tmp_path_factory.mktemp("split")
    for name, frame in (("sorted", rows.sort_values("sha256")), ("shuffled", rows.sample(frac=1, random_state=seed))):
        split.run(_write_faces(root / f"{name}_faces", frame), str(root / name), SplitConfig())
    pd.testing.assert_frame_equal(manifest.read(root / "sorted"), manifest.read(root / "shuffled"))


def test_the_stage_writes_the_split_and_counts_it(tmp_path):
    rows = _rows(300, num_subjects=30)
    report = split.run(_write_faces(tmp_path / "faces", rows), str(tmp_path / "out"), SplitConfig()).plain()
    written = manifest.read(tmp_path / "out")
    info = storage.read_json(tmp_path / "out" / SplitInfo.FILE)
    assert {f"num_{name}": count for name, count in _counts(written["split"]).items()}.items() <= report.items()
    assert (report["protocol"], report["seed"], report["num_subjects"]) == ("honest", 52, 30)
    assert report["official_test"] is False
    assert report["split_digest"] == manifest.digest(written, manifest.SPLIT_COLUMNS)
    assert sum(sum(by_class.values()) for by_class in info["counts"].values()) == 300
    assert info["counts"]["test"] == dict.fromkeys(CLASSES, report["num_test"] // 3)


def test_the_split_digest_says_which_split_it_is(tmp_path):
    faces_dir = _write_faces(tmp_path / "faces", _rows(300))

    def digest(name, **changes):
        return split.run(faces_dir, str(tmp_path / name), SplitConfig(**changes)).plain()["split_digest"]

    digests = [digest("a"), digest("b", seed=53), digest("c", protocol="paper"), digest("d", val_fraction=0.2)]
    assert len(set(digests)) == 4
    assert digest("again") == digests[0]


def test_a_published_test_split_is_said_to_be_one(tmp_path):
    rows = _rows(120)
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    faces_dir = _write_faces(tmp_path / "faces", rows)
    assert split.run(faces_dir, str(tmp_path / "out"), SplitConfig()).plain()["official_test"] is True


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            pd.concat([_rows(40, classes=("happy",)), _rows(41, classes=("sad",)).iloc[40:]]),
            "Drawing 20% of every class needs at least 4 images of each; 'sad' has 1",
        ),
        (_rows(120, num_subjects=1), "The split 'val' would hold no example of anger, happy, sad. More examples"),
        (_rows(6), "too few|at least"),
    ],
    ids=["one image of a class", "one person", "a test smaller than the classes"],
)
def test_too_few_rows_are_refused_with_the_reason(rows, message):
    with pytest.raises(ValueError, match=message):
        _assign(rows)


def test_every_class_is_in_every_part_or_the_split_is_refused():
    rows = _rows(200, classes=("happy",), num_subjects=20)
    rows.loc[rows["subject"] == "p3", "label"] = "sad"  # one person alone shows this class
    for seed in range(5):
        try:
            assigned = _assign(rows, seed=seed)
        except ValueError:
            continue
        for name in ("train", "val", "test"):
            assert set(rows["label"][assigned == name]) == {"happy", "sad"}, name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "mine"}, "protocol must be one of honest, paper; got 'mine'"),
        ({"val_fraction": 0}, r"val_fraction must be in \(0, 0\.5\); got 0"),
        ({"test_fraction": 0.5}, r"test_fraction must be in \(0, 0\.5\); got 0\.5"),
    ],
)
def test_nonsense_is_no_split(changes, message):
    with pytest.raises(ValueError, match=message):
        SplitConfig(**changes)


def _with_twins(rows, pairs):
    """Makes the second row of every pair the first one's picture again."""
    rows = rows.copy()
    for first, second in pairs:
        rows.loc[second, "pixel_sha256"] = rows.loc[first, "pixel_sha256"]
    return rows


def test_near_duplicates_are_one_group_with_the_persons_they_show():
    rows = _with_twins(_rows(9), [(0, 3), (3, 6)])
    rows.loc[[6, 8], "subject"] = "anna"
    groups = _read(rows).groups
    assert len({groups[place] for place in (0, 3, 6, 8)}) == 1
    assert len(set(groups)) == 6


def test_a_near_duplicate_of_a_published_test_picture_is_dropped_and_counted(tmp_path):
    rows = _with_twins(_rows(120), [(0, 30), (4, 61)])
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    rows.loc[[8, 50], "subject"] = "anna"
    report = split.run(_write_faces(tmp_path / "faces", rows), str(tmp_path / "out"), SplitConfig()).plain()
    written = manifest.read(tmp_path / "out").set_index("sha256")["split"]
    assert set(written[rows["sha256"][[30, 61, 50]]]) == {"dropped"}
    assert (report["num_dropped"], report["num_dropped_duplicates"], report["num_dropped_subjects"]) == (3, 2, 1)
    assert report["num_test"] == 30


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
@settings(max_examples=40)
def test_no_group_straddles_and_every_class_is_met_to_the_row(seed, num_pairs):
    noise = np.random.default_rng(seed)
    pairs = noise.integers(0, 300, (num_pairs, 2))
    rows = _with_twins(_rows(300).assign(label=noise.permutation(CLASSES * 100)), pairs)
    assigned = _assign(rows, seed=seed)
    groups = _read(rows).groups
    assert pd.Series(assigned).groupby(groups).nunique().max() == 1
    for name, share in (("test", 20), ("val", 8)):
        assert rows["label"][assigned == name].value_counts().to_dict() == dict.fromkeys(CLASSES, share)


@given(st.data())
@settings(max_examples=60)
def test_whatever_the_groups_nothing_straddles_and_the_draw_is_as_close_as_groups_allow(data):
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    count = data.draw(st.integers(60, 400), label="rows")
    weights = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6), label="classes")
    classes = np.sort(noise.choice(len(weights), count, p=np.array(weights) / sum(weights)))
    rows = _rows(count).assign(label=[f"c{place}" for place in noise.permutation(classes)])
    num_subjects = data.draw(st.integers(1, count), label="subjects")
    known = noise.random(count) < data.draw(st.sampled_from([0, 0.3, 1]), label="known")
    rows["subject"] = np.where(known, [f"p{n}" for n in noise.integers(0, num_subjects, count)], "")
    num_pairs = data.draw(st.integers(0, count // 3), label="twins")
    rows = _with_twins(rows, noise.integers(0, count, (num_pairs, 2)))
    if data.draw(st.booleans(), label="published test split"):
        rows["source_split"] = np.where(noise.random(count) < 0.2, "test", "train")
    try:
        assigned = _assign(rows, seed=int(noise.integers(99)))
    except ValueError as error:
        if not re.search("needs at least|would hold no example of", str(error)):
            raise
        return
    published = (rows["source_split"] == "test").to_numpy()
    if published.any():
        assert ((assigned == "test") == published).all()
    else:
        assert (assigned != "dropped").all()
    groups = _groups_by_hand(rows)
    used = assigned != "dropped"
    assert pd.Series(assigned[used]).groupby(groups[used]).nunique().max() == 1
    has_test = np.isin(groups, groups[published])
    assert ((assigned == "dropped") == (has_test & ~published)).all()
    rest = np.isin(assigned, ["train", "val"])
    _require_close(rows["label"].to_numpy()[rest], groups[rest], assigned[rest] == "val", 0.1)


def _groups_by_hand(rows):
    """Joins rows with the same pixels or subject until nothing changes any more."""
    groups = np.arange(len(rows))
    while True:
        joined = pd.Series(groups)
        for column in ("pixel_sha256", "subject"):
            known = (rows[column] != "").to_numpy()
            joined[known] = joined[known].groupby(rows[column][known].to_numpy()).transform("min")
            joined = joined.groupby(groups).transform("min")
        if (joined.to_numpy() == groups).all():
            return groups
        groups = joined.to_numpy()


def _require_close(labels, groups, drawn, fraction):
    """Exact to the row where rows stand alone; otherwise no further group would bring the classes closer."""
    codes, _ = pd.factorize(labels, sort=True)
    totals = np.bincount(codes)
    off = np.rint(totals * fraction) - np.bincount(codes[drawn], minlength=len(totals))
    alone = ~pd.Series(groups).duplicated(keep=False).to_numpy()
    spare = np.bincount(codes[alone & ~drawn], minlength=len(totals)) > 0
    assert (off[spare] <= 0).all()
    for group in np.unique(groups[~drawn]):
        counts = np.bincount(codes[groups == group], minlength=len(totals))
        assert np.abs(off - counts).sum() >= np.abs(off).sum()


def test_a_giant_group_stays_whole_and_in_train():
    rows = _rows(900)
    rows.loc[:399, "subject"] = "anna"
    assigned = _assign(rows)
    assert set(assigned[:400]) == {"train"}
    assert _counts(assigned) == {"train": 648, "val": 72, "test": 180}


def test_val_has_as_many_near_duplicates_as_the_rest():
    # 300 of 900 pictures have a twin; a draw that took groups first would make a test split of nothing else.
    rows = _with_twins(
        _rows(900), [(place, place + 3) for start in range(0, 300, 6) for place in range(start, start + 3)]
    )
    assigned = _assign(rows)
    twins = rows["pixel_sha256"].duplicated(keep=False).to_numpy()
    assert twins.sum() == 300
    assert twins[assigned == "test"].mean() == pytest.approx(1 / 3, abs=0.02)
    assert twins[assigned == "val"].mean() == pytest.approx(1 / 3, abs=0.05)


def test_other_columns_do_not_matter(tmp_path):
    rows = _rows(300, num_subjects=60)
    one, other = _write_faces(tmp_path / "one", rows), _write_faces(tmp_path / "other", rows)
    changed = manifest.read(other).assign(source_uri="elsewhere", brightness=3.0, num_faces=7, copies=2)
    manifest.write(changed, tmp_path / "other", manifest.CROPPED)
    digests = [split.run(faces, f"{faces}-split", SplitConfig()).plain()["split_digest"] for faces in (one, other)]
    assert digests[0] == digests[1]


def test_the_paper_protocol_is_the_call_of_scikit_learn_that_the_authors_make():
    rows = _rows(500).sort_values("sha256").reset_index(drop=True)
    _, expected = train_test_split(np.arange(500), test_size=0.2, random_state=52, stratify=rows["label"])
    assert sorted(np.flatnonzero(_assign(rows, protocol="paper") == "test")) == sorted(expected)


@pytest.mark.parametrize(("classes", "num_test"), [(7, 4987), (8, 5635)], ids=["affectnet7", "affectnet8"])
def test_the_paper_protocol_has_the_published_sizes_of_affectnet(classes, num_test):
    rows = _rows({7: 24931, 8: 28175}[classes], classes=tuple("abcdefgh"[:classes]))
    assert _counts(_assign(rows, protocol="paper"))["test"] == num_test


def test_a_manifest_out_of_order_is_refused(tmp_path):
    faces = _write_faces(tmp_path / "faces", _rows(30))
    table = pa.parquet.read_table(tmp_path / "faces" / manifest.FILE_NAME)
    pa.parquet.write_table(table.take(list(range(29, -1, -1))), tmp_path / "faces" / manifest.FILE_NAME)
    with pytest.raises(ValueError, match="stand in the order of sha256, each once"):
        split.run(faces, str(tmp_path / "out"), SplitConfig())

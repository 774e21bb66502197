import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expressnet import manifest, split, storage
from expressnet.config import SplitConfig

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


def _counts(assigned):
    return {name: int((assigned == name).sum()) for name in ("train", "val", "test")}


def _write_faces(folder, rows):
    """Writes the output of crop for these rows."""
    folder.mkdir()
    filled = rows.assign(
        source_uri=rows["sha256"], copies=1, bytes=1, format="PNG", width=1, height=1, problem="", shard="0.tar",
        offset=512, size=1, face_found=True, num_faces=1, score=1.0, box_xyxy=[[0, 0, 1, 1]] * len(rows),
        brightness=100.0, contrast=20.0, sharpness=5.0,
    )  # fmt: skip
    manifest.write(filled, folder, manifest.CROPPED)
    storage.write_json(folder / "crops.json", {"dataset": {"num_subjects": int(rows["subject"].nunique())}})
    return str(folder)


def test_honest_splits_in_three_and_keeps_the_proportions_of_the_classes():
    rows = _rows(300)
    assigned = split.assign(rows, SplitConfig())
    assert _counts(assigned) == {"train": 216, "val": 24, "test": 60}  # a fifth, and a tenth of the rest
    for name, per_class in (("train", 72), ("val", 8), ("test", 20)):
        assert rows["label"][assigned == name].value_counts().to_dict() == dict.fromkeys(CLASSES, per_class)


def test_paper_splits_in_two_without_val():
    assert _counts(split.assign(_rows(300), SplitConfig(protocol="paper"))) == {"train": 240, "val": 0, "test": 60}


def test_paper_draws_images_and_not_persons():
    rows = _rows(300, num_subjects=10)
    is_test = split.assign(rows, SplitConfig(protocol="paper")) == "test"
    assert set(rows["subject"][is_test]) & set(rows["subject"][~is_test])


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("honest", {"train": 81, "val": 9, "test": 30}), ("paper", {"train": 90, "val": 0, "test": 30})],
)
def test_the_published_test_split_is_kept(protocol, expected):
    rows = _rows(120)
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    assigned = split.assign(rows, SplitConfig(protocol=protocol))
    assert ((assigned == "test") == (rows["source_split"] == "test")).all()
    assert _counts(assigned) == expected


def test_a_published_train_split_alone_is_drawn_from():
    assert _counts(split.assign(_rows(300, source_split="train"), SplitConfig()))["test"] == 60


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
    assigned = split.assign(rows, SplitConfig(seed=seed))
    assert set(assigned) == {"train", "val", "test"}
    assert all(len(splits) == 1 for splits in _splits_by_subject(rows, assigned))


def test_no_person_of_the_published_test_split_is_trained_on():
    rows = _rows(300, num_subjects=20)
    # The publisher put every second image of two persons into test.
    rows.loc[rows["subject"].isin(["p0", "p1"]) & (rows.index % 2 == 0), "source_split"] = "test"
    assigned = split.assign(rows, SplitConfig())
    assert set(rows["subject"][assigned == "test"]) == {"p0", "p1"}
    assert not {"p0", "p1"} & set(rows["subject"][np.isin(assigned, ["train", "val"])])


@pytest.mark.parametrize("num_subjects", [0, 30], ids=["by image", "by person"])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.3, 0.4])
def test_about_the_wanted_part_is_drawn(num_subjects, fraction):
    rows = _rows(900, num_subjects=num_subjects)
    drawn = split.draw(rows["label"], split.kept_together(rows), fraction, seed=1)
    assert drawn.mean() == pytest.approx(fraction, abs=0.02)


def test_persons_are_drawn_whole_and_unknown_ones_by_image():
    rows = _rows(300, num_subjects=30)
    rows.loc[rows.index % 2 == 0, "subject"] = ""
    drawn = split.draw(rows["label"], split.kept_together(rows), 0.2, seed=1)
    assert rows["subject"][drawn].eq("").any()
    assert all(len(parts) == 1 for parts in _splits_by_subject(rows, drawn))
    assert drawn.mean() == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("num_subjects", [0, 30], ids=["by image", "by person"])
@pytest.mark.parametrize("protocol", ["honest", "paper"])
def test_the_draw_is_a_function_of_the_seed(num_subjects, protocol):
    rows = _rows(300, num_subjects=num_subjects)
    first, again, other = (split.assign(rows, SplitConfig(protocol=protocol, seed=seed)) for seed in (1, 1, 2))
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
    report = split.run(_write_faces(tmp_path / "faces", rows), str(tmp_path / "out"), SplitConfig())
    written = manifest.read(tmp_path / "out")
    info = storage.read_json(tmp_path / "out" / split.INFO_FILE)
    assert {f"num_{name}": count for name, count in _counts(written["split"]).items()}.items() <= report.items()
    assert (report["protocol"], report["seed"], report["num_subjects"]) == ("honest", 52, 30)
    assert report["official_test"] is False
    assert report["split_digest"] == manifest.digest(written, manifest.SPLIT_COLUMNS)
    assert sum(sum(by_class.values()) for by_class in info["counts"].values()) == 300
    assert info["counts"]["test"] == dict.fromkeys(CLASSES, report["num_test"] // 3)


def test_the_split_digest_says_which_split_it_is(tmp_path):
    faces_dir = _write_faces(tmp_path / "faces", _rows(300))

    def digest(name, **changes):
        return split.run(faces_dir, str(tmp_path / name), SplitConfig(**changes))["split_digest"]

    digests = [digest("a"), digest("b", seed=53), digest("c", protocol="paper"), digest("d", val_fraction=0.2)]
    assert len(set(digests)) == 4
    assert digest("again") == digests[0]


def test_a_published_test_split_is_said_to_be_one(tmp_path):
    rows = _rows(120)
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    faces_dir = _write_faces(tmp_path / "faces", rows)
    assert split.run(faces_dir, str(tmp_path / "out"), SplitConfig())["official_test"] is True


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
        split.assign(rows, SplitConfig())


def test_every_class_is_in_every_part_or_the_split_is_refused():
    rows = _rows(200, classes=("happy",), num_subjects=20)
    rows.loc[rows["subject"] == "p3", "label"] = "sad"  # one person alone shows this class
    for seed in range(5):
        try:
            assigned = split.assign(rows, SplitConfig(seed=seed))
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
    groups = split.kept_together(rows)
    assert len({groups[place] for place in (0, 3, 6, 8)}) == 1
    assert len(set(groups)) == 6


def test_a_near_duplicate_of_a_published_test_picture_is_dropped_and_counted(tmp_path):
    rows = _with_twins(_rows(120), [(0, 30), (4, 61)])
    rows.loc[rows.index % 4 == 0, "source_split"] = "test"
    rows.loc[[8, 50], "subject"] = "anna"
    report = split.run(_write_faces(tmp_path / "faces", rows), str(tmp_path / "out"), SplitConfig())
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
    assigned = split.assign(rows, SplitConfig(seed=seed))
    groups = split.kept_together(rows)
    assert pd.Series(assigned).groupby(groups).nunique().max() == 1
    for name, share in (("test", 20), ("val", 8)):
        assert rows["label"][assigned == name].value_counts().to_dict() == dict.fromkeys(CLASSES, share)

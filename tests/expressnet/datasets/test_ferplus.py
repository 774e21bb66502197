import pyarrow.parquet as pq
import pytest

from expressnet.datasets import labels
from tests import look_alikes

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
BLACK = [0] * 48**2


@pytest.fixture
def write(tmp_path, write_fer2013):
    """`write([(usage, votes), ...])` writes both tables and returns their folder."""

    def written(rows, usages=None):
        lines = [HEADER] + [f"{usage},,{','.join(map(str, votes))}" for usage, votes in rows]
        (tmp_path / "fer2013new.csv").write_text("\n".join(lines) + "\n")
        usages = usages or [usage for usage, _ in rows]
        write_fer2013(tmp_path / "fer2013.csv", [(0, usage, [place, *BLACK[1:]]) for place, usage in enumerate(usages)])
        return tmp_path

    return written


def _votes(**counts):
    return [counts.get(name, 0) for name in HEADER.split(",")[2:]]


def test_the_majority_is_the_label_and_the_rest_is_counted_by_reason(scan, write):
    source = scan(
        "ferplus",
        write(
            [
                ("Training", _votes(happiness=7, neutral=3)),
                ("Training", _votes(contempt=6, anger=4)),
                ("Training", _votes(unknown=8, fear=2)),
                ("PublicTest", _votes(NF=10)),
                ("PublicTest", _votes(sadness=5, fear=5)),
                ("PrivateTest", _votes()),
                ("PrivateTest", _votes(fear=9)),
            ]
        ),
    )
    assert source.dataset_id == "ferplus@majority"
    assert source.classes == labels.CLASSES_8
    assert [(record.uri, record.label, record.source_split, record.target) for record in source.records] == [
        ("fer2013.csv row 1", "happy", "train", ()),
        ("fer2013.csv row 2", "contempt", "train", ()),
        ("fer2013.csv row 7", "fear", "test", ()),
    ]
    assert {finding.kind: finding.count for finding in source.findings} == {
        "rows whose most votes are for unknown": 1,
        "rows whose most votes are for NF": 1,
        "rows whose most votes are a draw": 1,
        "rows without a vote": 1,
    }


def test_probabilities_are_the_shares_of_the_eight_classes(scan, write):
    rows = [("Training", _votes(happiness=6, neutral=2, unknown=2))]
    source = scan("ferplus", write(rows), label_mode="probability")
    assert source.dataset_id == "ferplus@probability"
    assert dict(zip(source.classes, source.records[0].target, strict=True)) == {
        **dict.fromkeys(labels.CLASSES_8, 0.0),
        "happy": 0.75,
        "neutral": 0.25,
    }


def test_a_table_that_was_sorted_otherwise_is_refused(scan, write):
    rows = [("Training", _votes(fear=10)), ("PublicTest", _votes(fear=10))]
    with pytest.raises(
        ValueError, match=r"fer2013new\.csv row 1 has the Usage 'Training', its picture .* of the split te"
    ):
        scan("ferplus", write(rows, usages=["PublicTest", "Training"]))


def test_tables_of_different_lengths_are_refused(scan, write):
    with pytest.raises(ValueError, match=r"fer2013new\.csv has 1 rows, fer2013\.csv 2; the votes belong"):
        scan("ferplus", write([("Training", _votes(fear=10))], usages=["Training", "Training"]))


def test_votes_that_are_no_numbers_are_refused(scan, write):
    with pytest.raises(ValueError, match=r"row 1: votes must be whole numbers; got \['x'"):
        scan("ferplus", write([("Training", ["x", *_votes()[1:]])]))


def test_rafdb_under_this_name_is_recognised(scan, tmp_path):
    with pytest.raises(ValueError, match="file names of RAF-DB, which circulates under this name; use DATASET=rafdb"):
        scan("ferplus", look_alikes.rafdb_kaggle(tmp_path, 1, 1))


def test_the_real_votes_join_the_real_rows(scan, write, shared_data):
    batch = next(pq.ParquetFile(shared_data / "fer2013_train_public.parquet").iter_batches(1000)).to_pydict()
    source = scan("ferplus", write(list(zip(batch["usage"], batch["ferplus_votes"], strict=True))))
    left_out = sum(finding.count for finding in source.findings)
    assert len(source.records) + left_out == 1000
    assert len(source.records) > 900
    agree = {"happy": 3, "surprise": 5}  # classes on which both label sets mostly agree
    codes = [batch["emotion"][int(record.uri.rsplit(" ", 1)[1]) - 1] for record in source.records]
    for label, code in agree.items():
        same = [found == code for found, record in zip(codes, source.records, strict=True) if record.label == label]
        assert sum(same) / len(same) > 0.7

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from expressnet.data import deduplicate
from expressnet.runtime import storage


def _facts(*rows):
    """Records as ingest sees them: (sha256, label, source_split, source_uri)."""
    frame = pd.DataFrame(rows, columns=["sha256", "label", "source_split", "source_uri"])
    return frame.assign(subject="", bytes=1, format="PNG", width=1, height=1, problem="", pixel_sha256="")


@given(st.permutations(range(6)))
@settings(max_examples=30)
def test_the_order_of_the_records_does_not_change_what_is_merged(order):
    facts = _facts(
        ("a", "happy", "train", "1"),
        ("a", "happy", "test", "2"),
        ("b", "happy", "none", "3"),
        ("b", "sad", "none", "4"),
        ("c", "sad", "train", "5"),
        ("c", "sad", "train", "6"),
    )
    merged, conflicts = deduplicate.merge_duplicates(facts.iloc[order].reset_index(drop=True))
    assert merged[["sha256", "source_split", "source_uri", "copies"]].to_numpy().tolist() == [
        ["a", "test", "2", 2],
        ["c", "train", "5", 2],
    ]
    assert conflicts["source_uri"].tolist() == ["3", "4"]


def _population(counts):
    rows = [
        (storage.bytes_sha256(f"{label} {number}".encode()), label, "none", f"{label}/{number}")
        for label, count in counts.items()
        for number in range(count)
    ]
    return _facts(*rows)


def test_a_sample_has_the_proportions_of_all():
    sample = deduplicate.stratified_sample(_population({"happy": 60, "sad": 30, "fear": 10}), 10)
    assert sample["label"].value_counts().to_dict() == {"happy": 6, "sad": 3, "fear": 1}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=1), st.integers(1, 60), st.randoms())
@settings(max_examples=30)
def test_a_sample_is_stratified_and_a_function_of_the_content(counts, limit, random):
    everything = _population(counts)
    sample = deduplicate.stratified_sample(everything, limit)
    assert len(sample) == min(limit, len(everything))
    for label, count in counts.items():
        assert abs((sample["label"] == label).sum() - count * len(sample) / len(everything)) <= 1
    shuffled = everything.sample(frac=1, random_state=random.randrange(1000)).reset_index(drop=True)
    assert set(deduplicate.stratified_sample(shuffled, limit)["sha256"]) == set(sample["sha256"])

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expressnet.imaging import fingerprint, near_duplicates

NEAR = fingerprint.MAX_DISTANCE


def _hashes(count, seed=0):
    return np.random.default_rng(seed).integers(1, 2**64, (2, count), dtype=np.uint64)


def _flipped(column, num_bits, noise):
    """Returns uint64[2] with so many bits changed."""
    column = column.copy()
    for bit in noise.choice(128, num_bits, replace=False):
        column[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return column


def _near_by_hand(hashes):
    """All pairs of distinct near hashes, and of equal hashes the neighbours."""
    count = hashes.shape[1]
    pairs = np.array(list(itertools.combinations(range(count), 2)), np.int64).reshape(-1, 2)
    return pairs[near_duplicates.distance(hashes, *pairs.T) <= NEAR]


def _components(num_rows, pairs):
    """Joins one pair after the other."""
    groups = np.arange(num_rows)
    for left, right in pairs:
        low, high = sorted((groups[left], groups[right]))
        groups[groups == high] = low
    return groups


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(max_examples=40)
def test_the_groups_are_those_of_comparing_every_pair(seed, num_copies):
    noise = np.random.default_rng(seed)
    hashes = _hashes(80, seed)
    for target in noise.choice(80, num_copies, replace=False):
        source = noise.integers(80)
        hashes[:, target] = _flipped(hashes[:, source], int(noise.integers(0, NEAR + 4)), noise)
    expected = _components(80, _near_by_hand(hashes))
    assert (near_duplicates.components(80, near_duplicates.near_pairs(hashes)) == expected).all()


@pytest.mark.parametrize("num_bits", [0, 1, NEAR])
def test_a_near_pair_is_found_among_thousands_wherever_its_bits_differ(num_bits):
    noise = np.random.default_rng(num_bits)
    hashes = _hashes(5000)
    for place in range(200):
        hashes[:, 2500 + place] = _flipped(hashes[:, place], num_bits, noise)
    found = near_duplicates.near_pairs(hashes)
    assert {(place, 2500 + place) for place in range(200)} == set(map(tuple, found.tolist()))


def test_one_bit_more_is_another_picture():
    noise = np.random.default_rng(0)
    hashes = _hashes(1000)
    hashes[:, 999] = _flipped(hashes[:, 0], NEAR + 1, noise)
    assert len(near_duplicates.near_pairs(hashes)) == 0


def test_hashes_that_differ_in_one_word_only_are_not_equal():
    hashes = _hashes(400)
    hashes[0, 200:] = hashes[0, :200]  # the other word is random, some 32 bits away
    assert len(near_duplicates.near_pairs(hashes)) == 0


def test_being_near_is_handed_on():
    hashes = _hashes(50)
    for place in range(10, 20):
        hashes[:, place] = hashes[:, place - 1]
        for bit in range(8):
            hashes[place % 2, place] ^= np.uint64(1) << np.uint64(8 * (place - 10) // 2 + bit)
    assert near_duplicates.distance(hashes, np.array([9]), np.array([19]))[0] > NEAR
    groups = near_duplicates.components(50, near_duplicates.near_pairs(hashes))
    assert set(groups[9:20]) == {9}
    assert len(set(groups)) == 40


def test_a_film_of_thousands_of_like_pictures_is_one_group():
    noise = np.random.default_rng(2)
    base = _hashes(1)[:, 0]
    frames = np.stack([_flipped(base, int(noise.integers(0, 5)), noise) for _ in range(3000)], axis=1)
    hashes = np.concatenate([_hashes(1000, seed=3), frames], axis=1)
    groups = near_duplicates.components(4000, near_duplicates.near_pairs(hashes))
    assert set(groups[1000:]) == {1000}
    assert len(set(groups[:1000])) == 1000


def _frame(count=40):
    digits = ["".join(f"{word:016x}" for word in column) for column in _hashes(count).T]
    pixels = [f"{number:064x}" for number in range(2**200, (count + 1) * 2**200, 2**200)]
    return pd.DataFrame({"pixel_sha256": pixels, "phash": digits})


def test_the_same_pixels_are_one_group_without_any_hash():
    frame = _frame().assign(phash="")
    frame.loc[7, "pixel_sha256"] = frame.loc[3, "pixel_sha256"]
    groups = near_duplicates.groups(frame)
    assert groups[7] == 3
    assert len(set(groups)) == 39


def test_what_has_no_fingerprint_joins_nothing():
    frame = _frame()
    frame.loc[10:19, ["pixel_sha256", "phash"]] = ""
    assert (near_duplicates.groups(frame) == np.arange(40)).all()


def test_a_manifest_is_read_as_the_table_is(tmp_path):
    frame = pd.concat([_frame(), _frame(30)], ignore_index=True)
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "m.parquet", row_group_size=7)
    expected = near_duplicates.groups(frame)
    assert len(set(expected)) < 70
    assert (near_duplicates.read_groups(tmp_path / "m.parquet") == expected).all()


def test_digits_become_the_words_they_spell():
    assert near_duplicates.hash_words(["0000000000000001ffffffffffffffff", ""]).tolist() == [[1, 0], [2**64 - 1, 0]]
    assert near_duplicates.pixel_keys(["00000000000000ff" + "a" * 48]).tolist() == [255]


def test_a_hash_of_another_length_is_refused():
    with pytest.raises(
        ValueError, match="has 32 hex digits, but row 1 holds 'abcd'. Was the manifest written by another"
    ):
        near_duplicates.hash_words(["0" * 32, "abcd"])


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 80))
@settings(max_examples=40)
def test_components_are_what_joining_pair_by_pair_gives(seed, num_rows, num_pairs):
    pairs = np.random.default_rng(seed).integers(0, num_rows, (num_pairs, 2))
    assert (near_duplicates.components(num_rows, pairs[:5], pairs[5:]) == _components(num_rows, pairs)).all()


def test_without_pairs_every_row_is_its_own_group():
    assert near_duplicates.components(5).tolist() == [0, 1, 2, 3, 4]

"""Rows of a manifest as a few numbers each: what must stay together, and draws that keep it so."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from expressnet.imaging import fingerprint, near_duplicates

COLUMNS = ("label", "source_split", "subject", "pixel_sha256", "phash")
_CHUNK = 1 << 16  # groups looked at as Python objects at a time


@dataclasses.dataclass(frozen=True)
class Rows:
    """What a split needs to know of n rows, about 19 bytes each.

    Attributes:
        classes: the labels that occur, sorted.
        labels: int16[n], places in `classes`.
        is_test: bool[n], whether the row was published as a test row.
        near: int64[n], the same number for near-duplicates (see expressnet.imaging.near_duplicates).
        groups: int64[n], the same number for near-duplicates and for images of one subject, handed on.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    is_test: np.ndarray
    near: np.ndarray
    groups: np.ndarray


def read(batches: Iterable[pa.RecordBatch], num_rows: int) -> Rows:
    """Reads batches that have COLUMNS and `num_rows` rows together; takes about 100 bytes a row.

    Raises:
        ValueError: there is no row.
    """
    if not num_rows:
        raise ValueError("There is no row to be split. Did no photograph give a crop?")
    # Filled in place: arrays that grow between those of the batches would leave holes in the memory.
    labels, is_test = np.zeros(num_rows, np.int16), np.zeros(num_rows, bool)
    subjects, pixels = np.zeros((2, num_rows), np.uint64)
    hashes = np.zeros((fingerprint.HASH_BITS // 64, num_rows), np.uint64)
    places: dict[str, int] = {}
    start = 0
    for batch in batches:
        rows = slice(start, start + len(batch))
        labels[rows] = near_duplicates.text_codes(batch["label"], places)
        is_test[rows] = pc.equal(batch["source_split"], "test").to_numpy(zero_copy_only=False)
        subjects[rows] = near_duplicates.text_keys(batch["subject"])
        pixels[rows] = near_duplicates.pixel_keys(batch["pixel_sha256"])
        hashes[:, rows] = near_duplicates.hash_words(batch["phash"])
        start = rows.stop
    classes = tuple(sorted(places))
    order = np.array([classes.index(name) for name in places], np.int16)
    pairs = [near_duplicates.equal_pairs(pixels), near_duplicates.near_pairs(hashes)]
    del pixels, hashes
    near = near_duplicates.components(len(labels), *pairs)
    groups = near_duplicates.components(len(labels), *pairs, near_duplicates.equal_pairs(subjects))
    return Rows(classes, order[labels], is_test, near, groups)


def draw(labels: np.ndarray, classes: Sequence[str], groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draws `fraction` of the rows of every class in whole groups; returns bool[rows].

    Groups of several rows are drawn up to the same fraction of them, so that what is drawn has as many
    near-duplicates as the rest; rows that stand alone then fill every class up to its share, rounded. So every class
    is met to the row as far as there are rows that stand alone; where there are too few, further groups come as close
    as groups can that are taken one by one. scikit-learn's StratifiedGroupKFold takes a loop over all groups, rows
    that stand alone too, and is not exact.

    Args:
        labels: int[rows], places in `classes`.
        classes: names, for messages.
        groups: int64[rows], the same number for what must stay together.
        fraction: share to draw, 0..1.
        seed: of the order of the groups.

    Raises:
        ValueError: a class is too small for its share.

    >>> labels = np.repeat([0, 1], 10)  # ten images of each class,
    >>> people = np.arange(20) // 2  # two of each person
    >>> draw(labels, ("happy", "sad"), people, 0.2, seed=52).nonzero()[0].tolist()
    [8, 9, 12, 13]
    """
    noise = np.random.default_rng(seed)
    left = _shares(labels, classes, fraction)
    sizes = np.bincount(groups)
    numbers = noise.permutation(np.flatnonzero(sizes > 1))
    counts = _class_counts(labels, groups, numbers, len(classes))
    alone = noise.permutation(np.flatnonzero(sizes[groups] == 1))
    num_alone = np.bincount(labels[alone], minlength=len(classes))
    is_taken = _take(counts, np.rint(counts.sum(axis=0) * fraction).astype(np.int64), may_exceed=False)
    for may_exceed in (False, True):
        still = left - counts[is_taken].sum(axis=0)
        if (num_alone >= still).all():
            break
        is_taken[~is_taken] = _take(counts[~is_taken], still, may_exceed=may_exceed)
    still = left - counts[is_taken].sum(axis=0)
    group_is_drawn = np.zeros(len(sizes), bool)
    group_is_drawn[numbers[is_taken]] = True
    drawn = group_is_drawn[groups]
    for place, count in enumerate(still):
        drawn[alone[labels[alone] == place][: max(count, 0)]] = True
    return drawn


def _shares(labels: np.ndarray, classes: Sequence[str], fraction: float) -> np.ndarray:
    """Returns int64[classes], how many rows of every class are to be drawn."""
    totals = np.bincount(labels, minlength=len(classes))
    shares = np.rint(totals * fraction).astype(np.int64)
    if shares.min() < 1 or (shares >= totals).any():
        smallest = int(totals.argmin())
        raise ValueError(
            f"Drawing {fraction:.0%} of every class needs at least {int(np.ceil(0.5 / fraction)) + 1} images of each; "
            f"'{classes[smallest]}' has {totals[smallest]}."
        )
    return shares


def _class_counts(labels: np.ndarray, groups: np.ndarray, numbers: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns int64[groups, classes], how many rows of every class each of the groups `numbers` has."""
    place_of = np.full(groups.max() + 1, -1)
    place_of[numbers] = np.arange(len(numbers))
    places = place_of[groups]
    rows = np.flatnonzero(places >= 0)
    cells = places[rows] * num_classes + labels[rows]
    return np.bincount(cells, minlength=len(numbers) * num_classes).reshape(-1, num_classes)


def _take(counts: np.ndarray, wanted: np.ndarray, *, may_exceed: bool) -> np.ndarray:
    """Takes groups in their order while they fit; returns bool[groups].

    A group fits if no class gets more than wanted or, where that may be, if all classes together come closer.

    Args:
        counts: int64[groups, classes].
        wanted: int64[classes].
        may_exceed: whether a class may get more than wanted.
    """
    left = wanted.tolist()
    is_taken = np.zeros(len(counts), bool)
    for start in range(0, len(counts), _CHUNK):
        chunk = counts[start : start + _CHUNK]
        # What does not fit now never will, because ever less is left.
        candidates = np.flatnonzero(_fits(chunk, np.array(left), may_exceed=may_exceed))
        for place, group in zip(candidates, chunk[candidates].tolist(), strict=True):
            rest = [have - need for have, need in zip(left, group, strict=True)]
            if sum(map(abs, rest)) < sum(map(abs, left)) if may_exceed else min(rest) >= 0:
                left = rest
                is_taken[start + place] = True
    return is_taken


def _fits(counts: np.ndarray, left: np.ndarray, *, may_exceed: bool) -> np.ndarray:
    if may_exceed:
        return np.less(np.abs(left - counts).sum(axis=1), np.abs(left).sum(), dtype=bool)
    return np.all(counts <= left, axis=1)

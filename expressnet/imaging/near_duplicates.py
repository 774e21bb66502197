"""Which pictures are the same picture again: pixel for pixel, or nearly (encoded, resized or brightened anew).

Near means at most `fingerprint.MAX_DISTANCE` different bits. Comparing every pair is out of the question for
millions, so pairs are looked for by their bands (Manku, Jain and Das Sarma, "Detecting near-duplicates for web
crawling", 2007): d different bits leave at least two of d + 2 bands untouched, so that a near pair agrees in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from expressnet.imaging import fingerprint

_WORDS = fingerprint.HASH_BITS // 64
# So many neighbours with the same two bands are compared with each picture, and no more once so many of them are near.
# It bounds what thousands of pictures cost that are all alike (the frames of a film); those are joined by their
# neighbours all the same.
_WINDOW = 256
_ENOUGH = 16
_CHUNK = 1 << 18  # rows compared at a time: what fits into a processor's cache
_THREADS = 2  # numpy lets go of the interpreter while it sorts; each thread holds 16 bytes a row
_ODD = np.uint64(0x9E3779B97F4A7C15)  # mixes the words of a hash: one pair in 2^64 of different hashes falls together
_ROW_BITS = np.uint64(40)
_ROW_MASK = np.uint64((1 << 40) - 1)
_NIBBLES = np.zeros(256, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def groups(columns: Any) -> np.ndarray:
    """Returns int64[rows], the same number for the same picture: the place of the group's first row.

    Being near is handed on: if a is near b and b near c, all three are one group. A row of its own has its own
    place. An empty string is no fingerprint and joins nothing.

    Args:
        columns: a DataFrame or an arrow table with the manifest's columns pixel_sha256 and phash.
    """
    keys, hashes = pixel_keys(columns["pixel_sha256"]), hash_words(columns["phash"])
    return components(len(keys), equal_pairs(keys), near_pairs(hashes))


def read_groups(path: Path) -> np.ndarray:
    """Returns `groups` of a manifest file without holding its columns; takes about 100 bytes a row."""
    keys, hashes = read_keys(path)
    return components(len(keys), equal_pairs(keys), near_pairs(hashes))


def read_keys(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns `pixel_keys` and `hash_words` of a manifest file, 24 bytes a row."""
    with pq.ParquetFile(path, pre_buffer=False) as file:  # otherwise arrow holds all that it has read
        keys = [pixel_keys(batch[0]) for batch in file.iter_batches(_CHUNK, columns=["pixel_sha256"])]
        hashes = [hash_words(batch[0]) for batch in file.iter_batches(_CHUNK, columns=["phash"])]
    return np.concatenate([pixel_keys([]), *keys]), np.concatenate([hash_words([]), *hashes], axis=1)


def pixel_keys(column: Any) -> np.ndarray:
    """Returns uint64[rows], the first 64 bits of hex digests; 0 where the string is empty.

    Among ten million different pictures, two share 64 bits with a probability of 3 in a million.
    """
    return _hex_words(pc.utf8_slice_codeunits(_arrow(column), 0, 16), num_words=1)[0]


def hash_words(column: Any) -> np.ndarray:
    """Returns uint64[words, rows], perceptual hashes; 0 where the string is empty.

    Raises:
        ValueError: a hash has another length than `fingerprint` gives it.
    """
    return _hex_words(_arrow(column), num_words=_WORDS)


def text_keys(column: Any) -> np.ndarray:
    """Returns uint64[rows], a hash of every text; 0 where it is empty.

    Among ten million different texts, two share 64 bits with a probability of 3 in a million.
    """
    names = _arrow(column).dictionary_encode()
    texts = names.dictionary.to_pylist()
    keys = pd.util.hash_array(np.array(texts, dtype=object), categorize=False)
    keys[[place for place, text in enumerate(texts) if not text]] = 0
    return keys[names.indices.to_numpy()]


def text_codes(column: Any, codes: dict[str, int]) -> np.ndarray:
    """Returns int16[rows], the code of every text; `codes` gets those that are new, counted on."""
    names = _arrow(column).dictionary_encode()
    found = [codes.setdefault(name, len(codes)) for name in names.dictionary.to_pylist()]
    return np.array(found, np.int16)[names.indices.to_numpy()]


def _arrow(column: Any) -> pa.Array:
    array = column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(column, pa.large_string())
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.large_string())


def _hex_words(array: pa.Array, *, num_words: int) -> np.ndarray:
    words = np.zeros((num_words, len(array)), np.uint64)
    lengths = pc.binary_length(array).to_numpy(zero_copy_only=False)
    odd = np.flatnonzero((lengths != 0) & (lengths != 16 * num_words))
    if len(odd):
        raise ValueError(
            f"A fingerprint has {16 * num_words} hex digits, but row {odd[0]} holds {array[odd[0]].as_py()!r}. Was the "
            "manifest written by another version? Run ingest again."
        )
    filled = np.flatnonzero(lengths)
    for start in range(0, len(filled), _CHUNK):
        rows = filled[start : start + _CHUNK]
        digits = np.frombuffer(array.take(pa.array(rows)).buffers()[2], np.uint8, count=len(rows) * 16 * num_words)
        nibbles = _NIBBLES[digits].reshape(-1, 2)
        words[:, rows] = (nibbles[:, 0] << 4 | nibbles[:, 1]).view(">u8").reshape(-1, num_words).T
    return words


def equal_pairs(keys: np.ndarray) -> np.ndarray:
    """Returns int64[pairs, 2], neighbours among the rows with an equal key other than 0 of uint64[rows]."""
    filled = np.flatnonzero(keys)
    order = filled[np.argsort(keys[filled], kind="stable")]
    equal = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    return np.stack([order[equal], order[equal + 1]], axis=1)


def near_pairs(hashes: np.ndarray) -> np.ndarray:
    """Returns int64[pairs, 2], sorted: rows whose hashes uint64[words, rows] are equal or near; 0 is no hash.

    Of equal hashes only neighbours are paired, and near ones are found from the first row of each hash.
    """
    mixed = hashes[0] * _ODD
    for word in hashes[1:]:
        mixed ^= word
    filled = np.flatnonzero(mixed)
    order = filled[np.argsort(mixed[filled])]  # puts equal hashes side by side
    is_equal = np.ones(max(len(order) - 1, 0), bool)
    for word in hashes:
        is_equal &= word[order[1:]] == word[order[:-1]]
    firsts = np.sort(order[np.append(True, ~is_equal)[: len(order)]])
    equal = np.flatnonzero(is_equal)
    found = [np.stack([order[equal], order[equal + 1]], axis=1)]
    del mixed, filled, order, is_equal
    found += [firsts[pairs] for pairs in _pairs_by_bands(hashes[:, firsts])]
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _pairs_by_bands(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Yields int64[pairs, 2], near pairs of distinct hashes uint64[words, rows]; a pair may come several times."""

    def compare(bands: tuple[tuple[int, int, int], tuple[int, int, int]]) -> np.ndarray:
        keys = _band(hashes, *bands[0])
        keys <<= np.uint64(bands[1][2])
        keys |= _band(hashes, *bands[1])
        keys <<= _ROW_BITS
        keys |= np.arange(hashes.shape[1], dtype=np.uint64)
        keys.sort()  # one sort of plain numbers is far faster than an argsort
        parts = (keys[start : start + _CHUNK + _WINDOW] for start in range(0, len(keys), _CHUNK))
        return np.concatenate(
            [np.zeros((0, 2), np.int64)]
            + [_compare_neighbours(hashes, part >> _ROW_BITS, (part & _ROW_MASK).astype(np.int64)) for part in parts]
        )

    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(compare, combinations(_bands(), 2))


def _bands() -> list[tuple[int, int, int]]:
    """Divides a hash into at least MAX_DISTANCE + 2 bands; returns the word, shift and width (bits) of each."""
    per_word = -(-(fingerprint.MAX_DISTANCE + 2) // _WORDS)
    edges = [round(64 * place / per_word) for place in range(per_word + 1)]
    return [(word, low, high - low) for word in range(_WORDS) for low, high in pairwise(edges)]


def _band(hashes: np.ndarray, word: int, shift: int, width: int) -> np.ndarray:
    band = hashes[word] >> np.uint64(shift)
    band &= np.uint64((1 << width) - 1)
    return band


def _compare_neighbours(hashes: np.ndarray, keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compares the first _CHUNK places of sorted keys with the next _WINDOW places that have the same key."""
    first_word = hashes[0].take(rows)
    places = np.flatnonzero(keys[1 : _CHUNK + 1] == keys[: len(keys) - 1][:_CHUNK])
    num_near = np.zeros(_CHUNK, np.uint16)
    found = [np.zeros((0, 2), np.int64)]
    for step in range(1, _WINDOW + 1):
        differing = np.bitwise_count(first_word.take(places) ^ first_word.take(places + step))
        near = places[differing <= fingerprint.MAX_DISTANCE]
        near = near[distance(hashes, rows[near], rows[near + step]) <= fingerprint.MAX_DISTANCE]
        found.append(np.stack([rows[near], rows[near + step]], axis=1))
        num_near[near] += 1
        places = places[: np.searchsorted(places, len(keys) - step - 1)]
        places = places[(keys.take(places) == keys.take(places + step + 1)) & (num_near.take(places) < _ENOUGH)]
        if not len(places):
            break
    return np.concatenate(found)


def distance(hashes: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns how many bits differ between the rows `left` and `right` of hashes uint64[words, rows]."""
    return np.bitwise_count(hashes[:, left] ^ hashes[:, right]).sum(axis=0)


def components(num_rows: int, *pairs: np.ndarray) -> np.ndarray:
    """Returns int64[rows], the smallest row that the pairs int64[pairs, 2] lead to; without a pair the row itself."""
    left, right = np.concatenate([np.zeros((0, 2), np.int64), *pairs]).T.astype(np.int32)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(num_rows, num_rows))
    labels = connected_components(graph, directed=False)[1]
    first = np.zeros(num_rows, np.int64)
    first[labels[::-1]] = np.arange(num_rows)[::-1]  # of several, the last one written stays: the smallest row
    return first[labels]

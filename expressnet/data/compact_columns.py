"""The columns of a manifest that checks of a whole data set need, in about 50 bytes a row; never a text per row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from expressnet.imaging import near_duplicates

_TEXTS = ("label", "source_split")  # few different ones
_NUMBERS = {
    "copies": np.int32,
    "width": np.uint16,
    "height": np.uint16,
    "brightness": np.float16,
    "contrast": np.float16,
}


class Columns:
    """Collects the readable rows of a manifest, batch by batch."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}
        self._codes: dict[str, dict[str, int]] = {name: {} for name in _TEXTS}

    def add(self, rows: pd.DataFrame) -> None:
        """Takes one batch; its index says which rows of the manifest they are."""
        columns = {
            "place": rows.index.to_numpy(np.int32),
            **{name: near_duplicates.text_codes(rows[name], self._codes[name]) for name in _TEXTS},
            **{name: rows[name].to_numpy(dtype) for name, dtype in _NUMBERS.items()},
            "subject": near_duplicates.text_keys(rows["subject"]),
            "pixel_key": near_duplicates.pixel_keys(rows["pixel_sha256"]),
            "hash_words": near_duplicates.hash_words(rows["phash"]),
        }
        for name, column in columns.items():
            self._parts.setdefault(name, []).append(column)

    def rows(self) -> Rows:
        """Returns what was collected; nothing can be added afterwards."""
        # Column by column, so that only one stands in memory twice.
        whole = {name: np.concatenate(self._parts.pop(name), axis=-1) for name in list(self._parts)}
        place, keys, hashes = (whole.pop(name) for name in ("place", "pixel_key", "hash_words"))
        texts = {
            name: pd.Categorical.from_codes(pd.Series(whole.pop(name)), categories=pd.Index(list(self._codes[name])))
            for name in _TEXTS
        }
        return Rows(pd.DataFrame({**whole, **texts}, index=place, copy=False), keys, hashes)


class Rows:
    """The readable rows of a manifest.

    Attributes:
        frame: label, source_split, subject (a hash, 0 where unknown), copies, width, height, brightness and contrast,
            indexed by the place of the row in the manifest.
    """

    def __init__(self, frame: pd.DataFrame, keys: np.ndarray, hashes: np.ndarray):
        self.frame = frame
        self._keys, self._hashes = keys, hashes

    def near_groups(self) -> np.ndarray:
        """Returns int64[rows], the same number for pictures that are the same or nearly.

        See expressnet.imaging.near_duplicates.
        """
        pairs = near_duplicates.equal_pairs(self._keys), near_duplicates.near_pairs(self._hashes)
        return near_duplicates.components(len(self._keys), *pairs)

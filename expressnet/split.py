"""Who is trained on, who selects the epoch, who is tested on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from expressnet import console, duplicates, manifest, storage
from expressnet.config.base import digest_fields
from expressnet.config.split import SplitConfig

INFO_FILE = "split.json"


def run(faces_dir: str, out_dir: str, config: SplitConfig) -> dict[str, Any]:
    """Writes the manifest with the column `split`.

    The split is a function of the data set's content and the settings.

    Returns:
        The report: counts and the split digest.

    Raises:
        ValueError: the data are too few to be split so.
    """
    frame, crops = manifest.read(faces_dir), storage.read_json(Path(faces_dir) / "crops.json")
    frame = frame.sort_values("sha256").reset_index(drop=True)
    frame["split"] = assign(frame, config)
    counts = {str(name): int(count) for name, count in frame["split"].value_counts().sort_index().items()}
    report = {
        "protocol": config.protocol,
        "seed": config.seed,
        "split_digest": manifest.digest(frame, manifest.SPLIT_COLUMNS),
        **{f"num_{name}": counts.get(name, 0) for name in ("train", "val", "test", "dropped")},
        **_num_dropped(frame),
        "num_subjects": crops["dataset"]["num_subjects"],
        "official_test": bool((frame["source_split"] == "test").any()),
    }
    with storage.committed_dir(out_dir) as partial:
        manifest.write(frame, partial, manifest.SPLIT)
        by_class = frame.groupby(["split", "label"]).size().unstack(fill_value=0)
        storage.write_json(
            partial / INFO_FILE,
            {**report, "config": digest_fields(config), "crops": crops,
             "counts": {str(name): {str(k): int(v) for k, v in row.items()} for name, row in by_class.iterrows()}},
        )  # fmt: skip
    console.say(
        f"{config.protocol} protocol: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + (" (the published test split)" if report["official_test"] else "")
    )  # fmt: skip
    return report


def _num_dropped(frame: pd.DataFrame) -> dict[str, int]:
    """Counts why rows were dropped: a near-duplicate in the test split, or else only a person in it."""
    near = duplicates.groups(frame)
    is_dropped = (frame["split"] == "dropped").to_numpy()
    is_twin = is_dropped & np.isin(near, near[frame["split"] == "test"])
    return {"num_dropped_duplicates": int(is_twin.sum()), "num_dropped_subjects": int((is_dropped & ~is_twin).sum())}


def _require_every_class(labels: pd.Series, split: np.ndarray, protocol: str) -> None:
    for name in ("train", "val", "test") if protocol == "honest" else ("train", "test"):
        missing = set(labels) - set(labels[split == name])
        if missing:
            raise ValueError(
                f"The split '{name}' would hold no example of {', '.join(sorted(missing))}. More examples (or, where "
                "people are known, more people who show them) are needed."
            )


def assign(frame: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """Returns train, val, test or dropped for every row.

    `honest`: the published test split stays the test split, otherwise a part is drawn; val is drawn from the
    rest; near-duplicates and all images of one subject go to one split, so that images outside a published test split
    of a person or a picture in it are dropped. `paper`: two-way, no val. Rows with the same bytes are one row
    already, so that none straddles.

    Args:
        frame: rows of a manifest, sorted by sha256.
        config: how.

    Raises:
        ValueError: a class or the groups are too few.
    """
    split = np.full(len(frame), "train", dtype=object)
    is_test = (frame["source_split"] == "test").to_numpy()
    if config.protocol == "paper":
        split[is_test if is_test.any() else _draw_rows(frame, config)] = "test"
    else:
        groups = kept_together(frame)
        if not is_test.any():
            is_test = draw(frame["label"], groups, config.test_fraction, config.seed)
        split[~is_test & np.isin(groups, groups[is_test])] = "dropped"
        split[is_test] = "test"
        rest = np.flatnonzero(split == "train")
        is_val = draw(frame["label"].iloc[rest], groups[rest], config.val_fraction, config.seed + 1)
        split[rest[is_val]] = "val"
    _require_every_class(frame["label"], split, config.protocol)
    return split


def kept_together(frame: pd.DataFrame) -> np.ndarray:
    """Returns int64[rows], the same number for near-duplicates and for images of one subject, handed on."""
    near = duplicates.groups(frame)
    rows = np.arange(len(frame))
    known = np.flatnonzero(frame["subject"] != "")
    subjects = frame["subject"].iloc[known]
    first = rows[known][~subjects.duplicated()]
    first_of = dict(zip(frame["subject"].iloc[first], first, strict=True))
    same_subject = np.stack([known, subjects.map(first_of).to_numpy(np.int64)], axis=1)
    return duplicates.components(len(frame), np.stack([rows, near], axis=1), same_subject)


def draw(labels: pd.Series, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draws `fraction` of the rows of every class in whole groups; returns bool[rows].

    Groups of several rows are drawn first, each that still fits; rows that stand alone then fill every class up to its
    share, rounded. So every class is met to the row as far as there are rows that stand alone. scikit-learn's
    StratifiedGroupKFold takes a loop over all groups, rows that stand alone too, and is not exact.

    Args:
        labels: class of every row.
        groups: int64[rows], what must stay together.
        fraction: share to draw, 0..1.
        seed: of the order of the groups.

    Raises:
        ValueError: a class is too small for its share.
    """
    codes, classes = pd.factorize(labels, sort=True)
    wanted = np.rint(np.bincount(codes) * fraction).astype(int)
    if wanted.min() < 1 or (wanted >= np.bincount(codes)).any():
        smallest = classes[int(np.argmin(np.bincount(codes)))]
        raise ValueError(
            f"Drawing {fraction:.0%} of every class needs at least {int(np.ceil(0.5 / fraction)) + 1} images of each; "
            f"'{smallest}' has {np.bincount(codes).min()}."
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    sizes = np.bincount(groups, minlength=len(groups))[groups]
    alone = order[sizes[order] == 1]
    several = order[sizes[order] > 1]
    drawn = np.zeros(len(groups), dtype=bool)
    for may_exceed in (False, True):  # a group too large for its share is taken only if the rest can't make it up
        for _, rows in pd.Series(several).groupby(groups[several], sort=False):
            counts = np.bincount(codes[rows], minlength=len(wanted))
            fits = np.abs(wanted - counts).sum() < np.abs(wanted).sum() if may_exceed else (counts <= wanted).all()
            if fits and not drawn[rows].any():
                wanted -= counts
                drawn[rows] = True
        if (np.bincount(codes[alone], minlength=len(wanted)) >= wanted).all():
            break
    place = pd.Series(codes[alone]).groupby(codes[alone]).cumcount().to_numpy()
    drawn[alone[place < wanted[codes[alone]]]] = True
    return drawn


def _draw_rows(frame: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """Draws the authors' test split: stratified by class, row by row; returns bool[rows]."""
    counts = frame["label"].value_counts()
    if counts.min() < 2:
        raise ValueError(f"Every class needs at least 2 images to be split; '{counts.idxmin()}' has {counts.min()}.")
    fraction = config.test_fraction
    if min(len(frame) * fraction, len(frame) * (1 - fraction)) < len(counts):
        raise ValueError(
            f"{len(frame)} images are too few: {fraction:.0%} of them must hold all {len(counts)} classes."
        )
    drawn = np.zeros(len(frame), dtype=bool)
    _, part = train_test_split(
        np.arange(len(frame)), test_size=fraction, random_state=config.seed, stratify=frame["label"]
    )
    drawn[part] = True
    return drawn

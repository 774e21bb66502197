"""Who is trained on, who selects the epoch, who is tested on."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from expressnet import config as configs
from expressnet import console, manifest, storage
from expressnet.config import SplitConfig

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
        "num_subjects": crops["dataset"]["num_subjects"],
        "official_test": bool((frame["source_split"] == "test").any()),
    }
    with storage.committed_dir(out_dir) as partial:
        manifest.write(frame, partial, manifest.SPLIT)
        by_class = frame.groupby(["split", "label"]).size().unstack(fill_value=0)
        storage.write_json(
            partial / INFO_FILE,
            {**report, "config": configs.digest_fields(config), "crops": crops,
             "counts": {str(name): {str(k): int(v) for k, v in row.items()} for name, row in by_class.iterrows()}},
        )  # fmt: skip
    console.say(
        f"{config.protocol} protocol: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + (" (the published test split)" if report["official_test"] else "")
    )  # fmt: skip
    return report


def _require_every_class(labels: pd.Series, split: np.ndarray) -> None:
    for name in set(split) - {"dropped"}:
        missing = set(labels) - set(labels[split == name])
        if missing:
            raise ValueError(
                f"The split '{name}' would hold no example of {', '.join(sorted(missing))}. More examples (or, where "
                "people are known, more people who show them) are needed."
            )


def assign(frame: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """Returns train, val, test or dropped for every row.

    `honest`: the published test split stays the test split, otherwise a part is drawn; val is drawn from the
    rest; all images of one subject go to one split, so that images outside a published test split of a person in
    it are dropped. `paper`: two-way, no val. Rows with the same bytes are one row already, so that none straddles.

    Raises:
        ValueError: a class or the subjects are too few.
    """
    split = np.full(len(frame), "train", dtype=object)
    is_test = (frame["source_split"] == "test").to_numpy()
    if not is_test.any():
        is_test = draw(frame, config.test_fraction, config.seed, by_subject=config.protocol == "honest")
    split[is_test] = "test"
    if config.protocol == "honest":
        is_known = (frame["subject"] != "") & frame["subject"].isin(frame.loc[is_test, "subject"])
        split[~is_test & is_known] = "dropped"
        rest = np.flatnonzero(split == "train")
        is_val = draw(frame.iloc[rest], config.val_fraction, config.seed + 1, by_subject=True)
        split[rest[is_val]] = "val"
    _require_every_class(frame["label"], split)
    return split


def draw(frame: pd.DataFrame, fraction: float, seed: int, *, by_subject: bool) -> np.ndarray:
    """Draws about `fraction` of the rows, stratified by class; returns bool[rows].

    With subjects, whole subjects are drawn (folds of StratifiedGroupKFold, so that the fraction is rounded to
    tenths or simpler); a row without a subject stands for itself.

    Raises:
        ValueError: a class has too few rows, or there are too few subjects.
    """
    counts = frame["label"].value_counts()
    drawn = np.zeros(len(frame), dtype=bool)
    if by_subject and (frame["subject"] != "").any():
        groups = manifest.subjects_or_self(frame)
        share = Fraction(fraction).limit_denominator(10)
        num_folds = share.denominator
        if groups.nunique() < num_folds or counts.min() < num_folds:
            raise ValueError(
                f"Drawing {fraction:.0%} by subject needs at least {num_folds} subjects and as many images of every "
                f"class; there are {groups.nunique()} subjects and {counts.min()} images of '{counts.idxmin()}'."
            )
        folds = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
        for _, part in itertools.islice(folds.split(frame, frame["label"], groups), share.numerator):
            drawn[part] = True
        return drawn
    if counts.min() < 2:
        raise ValueError(f"Every class needs at least 2 images to be split; '{counts.idxmin()}' has {counts.min()}.")
    if min(len(frame) * fraction, len(frame) * (1 - fraction)) < len(counts):
        raise ValueError(
            f"{len(frame)} images are too few: {fraction:.0%} of them must hold all {len(counts)} classes."
        )
    _, part = train_test_split(np.arange(len(frame)), test_size=fraction, random_state=seed, stratify=frame["label"])
    drawn[part] = True
    return drawn

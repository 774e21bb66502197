"""What validation found, for people: the data in figures and pictures, and every check."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from expressnet.report import html, plots

_COLUMNS = ["label", "source_split", "problem", "width", "height", "brightness"]
_WORDS = {"passed": "passed", "warn": "warning", "stop": "FAILED"}
_FACTS = (
    "dataset_id",
    "layout",
    "licence",
    "licence_accepted",
    "num_records",
    "num_examples",
    "num_duplicates",
    "num_cross_split_twins",
    "num_conflicting",
    "num_conflict_groups",
    "num_ignored",
    "num_forgotten",
    "num_subjects",
    "dataset_digest",
)
_BRIGHTNESS = np.linspace(0, 256, 33)
_SIDES_PX = 2.0 ** np.arange(3, 15.5, 0.5)


@dataclasses.dataclass
class Distributions:
    """How the readable images are distributed; the same size for any number of them.

    Attributes:
        classes: images by (label, published split).
        brightness: int[32], images by mean gray value.
        sides: int[24], images by the geometric mean of width and height; what lies outside counts at the ends.
    """

    classes: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    brightness: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(_BRIGHTNESS) - 1, np.int64))
    sides: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(_SIDES_PX) - 1, np.int64))

    @classmethod
    def of(cls, batches: Callable[[list[str]], Iterator[pd.DataFrame]]) -> Distributions:
        """Counts the images of a manifest, which `batches` yields in parts."""
        counted = cls()
        for rows in batches(_COLUMNS):
            readable = rows[rows["problem"] == ""]
            sizes = readable.groupby(["label", "source_split"], observed=True).size()
            counted.classes.update(dict(zip(sizes.index.to_flat_index(), map(int, sizes), strict=True)))
            counted.brightness += np.histogram(readable["brightness"], _BRIGHTNESS)[0]
            sides_px = np.sqrt(readable["width"].to_numpy(np.float64) * readable["height"])
            counted.sides += np.histogram(np.clip(sides_px, _SIDES_PX[0], _SIDES_PX[-1]), _SIDES_PX)[0]
        return counted

    def by_class(self, classes: list[str]) -> pd.DataFrame:
        """Returns the images of every class by published split."""
        splits = sorted({split for _, split in self.classes})
        return pd.DataFrame(
            {split: [self.classes[label, split] for label in classes] for split in splits}, index=classes
        )


def render(
    info: dict[str, Any], checks: list[dict[str, Any]], found: Distributions, other: dict[str, Any] | None = None
) -> str:
    """Returns the page: what came in, how it is distributed, and what each check found.

    Args:
        info: dataset.json.
        checks: see expressnet.stages.validate.check.
        found: of the same manifest.
        other: dataset.json of a data set whose colours are shown beside.
    """
    return html.page(
        "validation.html.j2",
        dataset=info["dataset"],
        about=[(name.replace("_", " "), info[name]) for name in _FACTS],
        checks=[(one["title"], _WORDS[one["result"]], one["finding"]) for one in checks],
        classes=_classes(info, found),
        brightness=_histogram("mean gray value of the image", _BRIGHTNESS, found.brightness),
        sides=_histogram("side, pixels", _SIDES_PX, found.sides, logarithmic=True),
        colours=_colours([info, *([other] if other else [])]),
    )


def _classes(info: dict[str, Any], found: Distributions) -> dict[str, Any]:
    counts = found.by_class(info["classes"])
    return {
        "splits": list(counts),
        "rows": [(label, *map(int, row)) for label, *row in counts.itertuples()],
        "picture": plots.picture(plots.stacked_bars(counts)) if counts.size else "",
    }


def _histogram(title: str, edges: np.ndarray, counts: np.ndarray, *, logarithmic: bool = False) -> dict[str, Any]:
    rows = [
        (f"{low:,.0f} to {high:,.0f}", int(count))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    picture = plots.picture(plots.histogram(edges, counts, title, logarithmic=logarithmic))
    return {"title": title, "picture": picture, "rows": rows}


def _colours(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the colours of the data sets that know them, nothing if none does."""
    known: Mapping[str, Any] = {
        f"{info['dataset_id']} {info['dataset_digest'][:8]}": info["colours"] for info in infos if info.get("colours")
    }
    if not known:
        return {}
    values = np.array([np.array(channels) for channels in known.values()])  # [data sets, 3, bins]
    edges = np.linspace(0, 256, values.shape[2] + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    return {
        "picture": plots.picture(plots.colours(known)),
        "rows": [(name, *means) for name, means in zip(known, (values @ middles).tolist(), strict=True)],
    }

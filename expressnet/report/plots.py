"""Pictures for the pages; each has a table beside it for those who can't see it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.figure import Figure

from expressnet.report import html

_MOST_BARS = 40
# Told apart by those who see no colours, too.
_STYLES = ("-", "--", "-.", ":")


def picture(figure: Figure) -> str:
    """Returns a figure as the address of a PNG, and closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", transparent=True)
    pyplot.close(figure)
    return html.data_uri(buffer.getvalue())


def history(rows: pd.DataFrame) -> Figure:
    """Draws loss and accuracy of the training and the selection split by epoch."""
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2))
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(rows["epoch"], rows[f"train_{name}"], label="train")
        axis.plot(rows["epoch"], rows[name], label="selection")
        axis.set_xlabel("epoch")
        axis.set_title(name)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def roc(curves: Mapping[str, Sequence[tuple[float, float, float]]]) -> Figure:
    """Draws ROC curves by name: points of false positive rate, true positive rate and threshold."""
    figure, axis = pyplot.subplots(figsize=(6, 4.2))
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1)
    for (name, points), style in zip(curves.items(), cycle(_STYLES), strict=False):
        axis.plot([point[0] for point in points], [point[1] for point in points], style, label=_plain(name))
    axis.set_xlabel("false positive rate")
    axis.set_ylabel("true positive rate")
    axis.grid(alpha=0.3)
    if curves:
        axis.legend(loc="lower right", fontsize=9)
    return figure


def reliability(by_name: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draws accuracy against confidence of bins (see calibration.reliability); larger dots hold more images."""
    figure, axis = pyplot.subplots(figsize=(5.2, 4.2))
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1)
    for (name, rows), style in zip(by_name.items(), _STYLES, strict=False):
        sure, right = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        (line,) = axis.plot(sure, right, style, label=_plain(name))
        most = max(row["num_rows"] for row in rows)
        axis.scatter(sure, right, [100 * row["num_rows"] / most + 4 for row in rows], color=line.get_color(), alpha=0.6)
    axis.set_xlabel("highest probability, mean of the bin")
    axis.set_ylabel("accuracy of the bin")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left")
    return figure


def intervals(names: Sequence[str], figures: Sequence[Mapping[str, float]], overall: float, label: str) -> Figure:
    """Draws values with their intervals, one line each, and a line at the value of the whole."""
    figure, axis = pyplot.subplots(figsize=(8, 0.8 + 0.26 * len(names)))
    places = np.arange(len(names))[::-1]
    values = np.array([one["value"] for one in figures])
    ends = np.array([[one["low"], one["high"]] for one in figures])
    axis.hlines(places, ends[:, 0], ends[:, 1], color="tab:blue", alpha=0.5, linewidth=3)
    axis.plot(values, places, "o", color="tab:blue")
    axis.axvline(overall, color="gray", linestyle=":")
    axis.set_yticks(places, list(map(_plain, names)))
    axis.set_xlabel(label)
    axis.grid(axis="x", alpha=0.3)
    return figure


def stacked_bars(counts: pd.DataFrame) -> Figure:
    """Draws a bar for each row, made of its columns; of more than 40 rows the largest."""
    largest = counts.sum(axis=1).sort_values(ascending=False, kind="stable").index[:_MOST_BARS]
    shown = counts.loc[[name for name in counts.index if name in set(largest)]].iloc[::-1]
    figure, axis = pyplot.subplots(figsize=(8, 1 + 0.3 * len(shown)))
    left = np.zeros(len(shown))
    for column in shown:
        axis.barh(list(map(_plain, shown.index)), shown[column], left=left, label=_plain(str(column)))
        left += shown[column].to_numpy()
    axis.set_xlabel("images")
    axis.legend()
    return figure


def histogram(edges: np.ndarray, counts: np.ndarray, label: str, *, logarithmic: bool = False) -> Figure:
    """Draws counts int[n] between edges float[n + 1]."""
    figure, axis = pyplot.subplots(figsize=(8, 2.4))
    axis.stairs(counts, edges, fill=True)
    if logarithmic:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel(label)
    axis.set_ylabel("images")
    return figure


def colours(by_data_set: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Draws the mean distributions of red, green and blue of one or more data sets side by side.

    Args:
        by_data_set: float[3, bins] each, summing to 1 along the bins; see fingerprint.mean_colours.
    """
    figure, axes = pyplot.subplots(1, len(by_data_set), figsize=(4.5 * len(by_data_set), 3), sharey=True, squeeze=False)
    for axis, (name, channels) in zip(axes[0], by_data_set.items(), strict=True):
        edges = np.linspace(0, 256, len(channels[0]) + 1)
        for channel, colour, style in zip(channels, ("red", "green", "blue"), ("-", "--", ":"), strict=True):
            axis.stairs(channel, edges, color=colour, linestyle=style, label=colour)
        axis.set_title(_plain(name))
        axis.set_xlabel("value of the pixel")
        axis.legend()
    axes[0][0].set_ylabel("share of pixels")
    return figure


def _plain(text: str) -> str:
    """Returns a name that came from data so that matplotlib draws it as it is, not as mathematics, and not too long."""
    short = text if len(text) <= 40 else f"{text[:39]}…"
    return short.replace("$", r"\$")
